/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What runs as /init inside a lab machine: it drives the real VFIO uAPI with
 * real devices and reports what the kernel did. It measures and never judges;
 * the host does (lab/report.awk).
 */
#ifndef LAB_H
#define LAB_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_GROUPS	8
#define MAX_EDUS	4

struct edu {
	char bdf[16];		/* its PCI address, 0000:00:10.0 */
	bool can_dma;		/* or it is something else, to be attached only */
	int fd;			/* 0 while it is not open */
	uint32_t id;		/* with iommufd */
	volatile uint8_t *bar;
};

/* An IOMMU group: edu or other devices, and perhaps the bridge that they are behind */
struct group {
	char name[8];		/* A, B, ...; what A has fits A2 */
	char iommu[64];		/* the IOMMU instance that it is behind */
	int number;
	int devices;		/* in the group: D of the cost table */
	struct edu edus[MAX_EDUS];
	int num_edus;
	int fd;			/* 0 until it is first attached */
	int port;		/* QEMU's root port that it is behind inside */
};

/* A piece of this process's memory, and where devices find it */
struct range {
	uint8_t *memory;
	uint64_t iova;
};

/* What the kernel did between trace_begin() and trace_end() */
struct trace {
	int claim;		/* ->attach_dev calls of claiming DMA ownership */
	int calls;		/* the other ->attach_dev calls */
	int refused;		/* those of them that failed */
	int position;		/* of the last refuser in its group: f */
	int traced;		/* failures that the tracepoint reported */
	char errnos[64];	/* of the failures, in order: -22,-22 or none */
};

/* report.c: lines for the host, and the kernel's log */
void report(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));
void finish(void) __attribute__((noreturn));
void klog_begin(void);
int klog_end(void);

/* sysfs.c: small files and links below /sys */
void put(const char *path, const char *text);
bool try_put(const char *path, const char *text);
void link_name(const char *path, char *name, size_t size);
int count_entries(const char *path);

/* trace.c: counting in the kernel, the same way on every kernel */
bool trace_setup(const char *functions);
void trace_begin(void);
int trace_so_far(int *refused);
void trace_end(struct trace *trace);
int trace_domains(void);

/*
 * How devices get to share mappings. What may fail returns a negative errno; all
 * else that fails means a broken lab.
 */
struct interface {
	const char *name;
	int (*open_container)(void);
	void (*close_container)(int container);
	int (*attach)(int container, struct group *group, bool first);
	int (*detach)(struct group *group);
	void (*open_devices)(struct group *group);
	void (*close_devices)(struct group *group);
	uint64_t (*first_iova)(int container);
	void (*map)(int container, struct range *range);
	void (*unmap)(int container, struct range *range);
};

/* vfio.c: type 1, and the same through iommufd */
#define RANGE_BYTES	0x10000
extern const struct interface type1, compat;
void devices_setup(struct group *group);
void devices_release(struct group *group);
void device_setup(struct edu *edu);
void device_release(struct edu *edu);
void range_alloc(struct range *range);

/* iommufd.c */
extern const struct interface iommufd;
int iommufd_change(struct group *group, uint32_t pt);
int iommufd_change_unwritten(struct group *group, uint32_t pt);
int iommufd_leave(struct group *group);
uint32_t iommufd_hwpt_alloc(struct group *group, int ioas);
void iommufd_destroy(uint32_t id);
int iommufd_windows(int ioas);

/* edu.c: the device's DMA engine */
#define DMA_BYTES	1024	/* the device's buffer has 4096 */
void edu_read_memory(struct edu *edu, uint64_t iova);
void edu_write_memory(struct edu *edu, uint64_t iova);
void edu_wait(struct edu *edu);

/* scenario.c */
void run_scenario(const struct interface *interface, struct group *groups, int count, int instances);

/* program.c: a program that is told what to do on its standard input */
struct program {
	const char *name;
	int pid, in, out;
	char text[1 << 16], heard[1 << 16];
	size_t len;
};

long long now_ms(void);
void program_start(struct program *program, char *const argv[]);
void program_say(struct program *program, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
char *program_hear(struct program *program, const char *text, int seconds);
int program_end(struct program *program, int signal);

/* qtest.c: what firmware and a driver do, inside QEMU */
void qtest_pipes(const char *path);
void qtest_connect(const char *path);
void qtest_power(int port, bool on);
void qtest_enable(int port);
void qtest_edu_start(int port, uint64_t source, uint64_t destination, int command);
bool qtest_edu_copies(int port);

/* inner.c */
uint64_t physical(const void *address);
void edu_enable(struct edu *edu);
void run_inner(bool (*is_edu)(const char *bdf)) __attribute__((noreturn));

/* granule.c */
void run_granule(bool (*is_edu)(const char *bdf), void (*bind)(const char *bdf), int instances);

/* selftests.c */
void run_selftests(struct group *groups, int count);

/* clients.c */
void run_clients(struct group *groups, int count);

#endif
