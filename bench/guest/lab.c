// SPDX-License-Identifier: GPL-2.0
/*
 * /init for the machines of the lab: the benchmark's cases that two to four
 * IOMMUs and a handful of edu devices allow. The time is taken with nothing
 * traced; the calls are counted in attaches of their own, by kprobes. The
 * argument behind -- on the kernel's command line is the number of attaches.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#define TRACEFS		"/sys/kernel/tracing/"
#define PCI_DEVICES	"/sys/bus/pci/devices/"
#define MAX_GROUPS	8
#define COUNTED		3
#define IOVA		0x40000000ULL
#define SZ_64M		0x4000000UL

struct group {
	char bdf[16];		/* Of its first edu */
	char iommu[256];	/* The instance that it is behind */
	int id;
	int size;		/* With bridges: D of the cost table */
	int fd;
	bool attached;
};

static struct group groups[MAX_GROUPS];
static int nr_groups, nr_attached, container, iommufd;
static bool use_iommufd;

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("BENCH broken ");
	vprintf(format, args);
	printf(": %s\n", strerror(errno));
	va_end(args);
	fflush(stdout);
	reboot(RB_POWER_OFF);
	_exit(1);
}

static bool try_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_APPEND);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return done;
}

static void put(const char *path, const char *text)
{
	if (!try_put(path, text))
		die("%s to %s", text, path);
}

static long count(const char *event)
{
	FILE *file = fopen(TRACEFS "kprobe_profile", "re");
	long hits, sum = 0;
	char name[64];

	if (!file)
		die("kprobe_profile");
	while (fscanf(file, "%63s %ld %*d", name, &hits) == 2)
		sum += !strncmp(name, event, strlen(event)) ? hits : 0;
	fclose(file);
	return sum;
}

/* Is there such a function to probe? */
static bool probe(const char *event, const char *driver, const char *function)
{
	char line[256];
	static int serial;

	snprintf(line, sizeof(line), "p:bench/%s%d %s_%s", event, serial++, driver,
		 function);
	return try_put(TRACEFS "kprobe_events", line);
}

static void probe_driver(const char *driver)
{
	/* 7.3 has functions of their own for blocking and identity */
	static const char * const attach[] = {
		"attach_dev", "attach_dev_identity", "attach_dev_blocked",
		"attach_identity_domain",
	};
	static const char * const alloc[] = {
		"domain_alloc", "domain_alloc_paging", "domain_alloc_paging_flags",
	};
	int found = 0;
	size_t i;

	for (i = 0; i < sizeof(attach) / sizeof(attach[0]); i++)
		found += probe("attach", driver, attach[i]);
	if (!found)
		die("nothing to probe for attach");
	/* arm_smmu_domain_alloc of 7.3 is called by ..._paging_flags */
	for (i = 3; i-- > 0;) {
		if (probe("alloc", driver, alloc[i]))
			return;
	}
	die("nothing to probe for alloc");
}

static void link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		die("%s", path);
	target[n] = '\0';
	snprintf(name, size, "%s", strrchr(target, '/') + 1);
}

static int is_edu(const struct dirent *entry)
{
	char path[PATH_MAX], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), PCI_DEVICES "%s/uevent", entry->d_name);
	file = fopen(path, "re");
	while (file && fgets(text, sizeof(text), file)) {
		if (!strcmp(text, "PCI_ID=1234:11E8\n")) {
			fclose(file);
			return 1;
		}
	}
	if (file)
		fclose(file);
	return 0;
}

static void find_groups(void)
{
	char path[PATH_MAX], number[32];
	struct dirent **edus, *entry;
	int i, g, n;
	DIR *dir;

	n = scandir(PCI_DEVICES, &edus, is_edu, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), PCI_DEVICES "%s/driver_override",
			 edus[i]->d_name);
		put(path, "vfio-pci");
		put("/sys/bus/pci/drivers_probe", edus[i]->d_name);
	}
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), PCI_DEVICES "%s/iommu_group",
			 edus[i]->d_name);
		link_name(path, number, sizeof(number));
		for (g = 0; g < nr_groups && groups[g].id != atoi(number); g++)
			;
		if (g < nr_groups || g == MAX_GROUPS)
			continue;
		nr_groups++;
		groups[g].id = atoi(number);
		snprintf(groups[g].bdf, sizeof(groups[g].bdf), "%.15s", edus[i]->d_name);
		strcat(path, "/devices");
		dir = opendir(path);
		while (dir && (entry = readdir(dir)))
			groups[g].size += entry->d_name[0] != '.';
		closedir(dir);
		snprintf(path, sizeof(path), PCI_DEVICES "%s/iommu", edus[i]->d_name);
		link_name(path, groups[g].iommu, sizeof(groups[g].iommu));
		printf("BENCH group %d: %s, %d devices, behind %s\n", groups[g].id,
		       groups[g].bdf, groups[g].size, groups[g].iommu);
	}
}

static void prepare(struct group *group)
{
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = iommufd };
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (!use_iommufd) {
		snprintf(path, sizeof(path), "/dev/vfio/%d", group->id);
		group->fd = open(path, O_RDWR | O_CLOEXEC);
		if (group->fd < 0)
			die("%s", path);
		return;
	}
	snprintf(path, sizeof(path), PCI_DEVICES "%s/vfio-dev", group->bdf);
	dir = opendir(path);
	if (!dir)
		die("%s", path);
	while ((entry = readdir(dir)) && entry->d_name[0] == '.')
		;
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry ? entry->d_name : "");
	closedir(dir);
	group->fd = open(path, O_RDWR | O_CLOEXEC);
	if (group->fd < 0 || ioctl(group->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		die("%s", path);
}

static void open_container(void)
{
	struct iommu_ioas_alloc alloc = { .size = sizeof(alloc) };

	if (use_iommufd)
		container = ioctl(iommufd, IOMMU_IOAS_ALLOC, &alloc) ? -1 :
			    (int)alloc.out_ioas_id;
	else
		container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (container < 0)
		die("a container");
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static uint64_t attach(struct group *group)
{
	struct vfio_device_attach_iommufd_pt pt = { .argsz = sizeof(pt), .pt_id = container };
	uint64_t start = now();
	int ret;

	if (use_iommufd)
		ret = ioctl(group->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &pt);
	else
		ret = ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, &container) ||
		      (!nr_attached &&
		       ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	start = now() - start;
	if (ret)
		die("attach of %s", group->bdf);
	group->attached = true;
	nr_attached++;
	return start;
}

static uint64_t detach(struct group *group)
{
	struct vfio_device_detach_iommufd_pt pt = { .argsz = sizeof(pt) };
	uint64_t start = now();
	int ret;

	if (use_iommufd)
		ret = ioctl(group->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &pt);
	else
		ret = ioctl(group->fd, VFIO_GROUP_UNSET_CONTAINER);
	if (ret)
		die("detach of %s", group->bdf);
	group->attached = false;
	nr_attached--;
	return now() - start;
}

static void close_container(void)
{
	struct iommu_destroy destroy = { .size = sizeof(destroy), .id = container };
	int g;

	for (g = 0; g < nr_groups; g++)
		if (groups[g].attached)
			detach(&groups[g]);
	if (use_iommufd ? ioctl(iommufd, IOMMU_DESTROY, &destroy) : close(container))
		die("closing the container");
}

static void map(size_t size)
{
	static void *memory;
	struct iommu_ioas_map ioas = {
		.size = sizeof(ioas), .length = size, .iova = IOVA, .ioas_id = container,
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
	};
	struct vfio_iommu_type1_dma_map type1 = {
		.argsz = sizeof(type1), .size = size, .iova = IOVA,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
	};

	if (!memory)
		memory = mmap(NULL, SZ_64M, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			      MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (memory == MAP_FAILED)
		die("huge pages");
	ioas.user_va = type1.vaddr = (uintptr_t)memory;
	if (size && (use_iommufd ? ioctl(iommufd, IOMMU_IOAS_MAP, &ioas) :
				   ioctl(container, VFIO_IOMMU_MAP_DMA, &type1)))
		die("map");
}

static void print_ns(const char *name, const uint64_t *ns, int n)
{
	int i;

	printf(",\"%s\":[", name);
	for (i = 0; i < n; i++)
		printf("%s%llu", i ? "," : "", (unsigned long long)ns[i]);
	printf("]");
}

/* The group joins and leaves, the container being as it is */
static void measure(const char *name, struct group *group, int foreign, bool fits,
		    size_t mapped, int repetitions)
{
	uint64_t attach_ns[repetitions], detach_ns[repetitions];
	long calls, allocs, min = LONG_MAX, max = 0;
	int i;

	for (i = 0; i < repetitions; i++) {
		attach_ns[i] = attach(group);
		detach_ns[i] = detach(group);
	}
	put(TRACEFS "events/bench/enable", "1");
	for (i = 0; i < COUNTED; i++) {
		calls = count("attach");
		allocs = count("alloc");
		attach(group);
		/* type1 claims DMA ownership as well, which takes D calls */
		calls = count("attach") - calls - (use_iommufd ? 0 : group->size);
		allocs = count("alloc") - allocs;
		min = calls < min ? calls : min;
		max = calls > max ? calls : max;
		detach(group);
	}
	put(TRACEFS "events/bench/enable", "0");
	printf("{\"case\":\"%s\",\"api\":\"%s\",\"devices\":%d,\"n\":%d,\"foreign\":%d,\"position\":1,\"fits\":%d,\"mapped_mib\":%zu,\"error\":0,\"attaches\":%d,\"counted\":%d,\"met\":0,\"met_fresh\":0,\"fresh\":0,\"calls\":[%ld,%ld,%ld],\"domains\":[%ld,%ld,%ld]",
	       name, use_iommufd ? "iommufd" : "type1", group->size, nr_attached + 1,
	       foreign, fits, mapped >> 20, repetitions, COUNTED, min, max,
	       COUNTED * max, allocs, allocs, COUNTED * allocs);
	print_ns("attach_ns", attach_ns, repetitions);
	print_ns("detach_ns", detach_ns, repetitions);
	printf("}\n");
	fflush(stdout);
}

static void run(int repetitions)
{
	static const size_t sizes[] = { 0, SZ_64M };
	struct group *first = &groups[0], *mate = NULL, *foreign[MAX_GROUPS];
	int i, k, n = 0;
	size_t m;

	for (i = 1; i < nr_groups; i++) {
		if (strcmp(first->iommu, groups[i].iommu))
			foreign[n++] = &groups[i];
		else
			mate = &groups[i];
	}
	if (!mate || !n)
		die("this takes two groups behind one IOMMU, and another IOMMU");

	for (i = 0; i < nr_groups; i++)
		prepare(&groups[i]);
	/* Once before anything is measured */
	open_container();
	for (i = 0; i < nr_groups; i++)
		attach(&groups[i]);
	close_container();

	open_container();
	measure("nth", mate, 0, false, 0, repetitions);
	close_container();
	for (m = 0; m < 2; m++) {
		for (k = 0; k <= n; k++) {
			/* In both orders of trying, the one that fits is the last */
			open_container();
			if (!use_iommufd)
				attach(first);
			for (i = 0; i < k; i++)
				attach(foreign[i]);
			if (use_iommufd)
				attach(first);
			map(sizes[m]);
			measure(k ? "fits" : "nth", mate, k, true, sizes[m], repetitions);
			close_container();
			if (!k)
				continue;
			open_container();
			for (i = 0; i < k; i++)
				attach(foreign[i]);
			map(sizes[m]);
			measure("new", mate, k, false, sizes[m], repetitions);
			close_container();
		}
	}
	for (i = 0; !use_iommufd && i < nr_groups; i++)
		close(groups[i].fd);
}

int main(int argc, char **argv)
{
	static const char * const mounts[][2] = {
		{ "devtmpfs", "/dev" }, { "proc", "/proc" }, { "sysfs", "/sys" },
		{ "tracefs", "/sys/kernel/tracing" },
	};
	int repetitions = argc > 1 ? atoi(argv[1]) : 200;
	struct utsname uts;
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i][1], 0755);
		mount(mounts[i][0], mounts[i][1], mounts[i][0], 0, NULL);
	}
	freopen("/dev/console", "w", stdout);
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "32");
	uname(&uts);
	printf("BENCH kernel %s\n", uts.release);
	if (!getenv("LAB_DRIVER"))
		die("no LAB_DRIVER");
	find_groups();
	probe_driver(getenv("LAB_DRIVER"));
	run(repetitions);
	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd >= 0) {
		use_iommufd = true;
		run(repetitions);
	}
	printf("BENCH done 0\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
