// SPDX-License-Identifier: GPL-2.0
/*
 * Inside QEMU no guest runs: through qtest (docs/devel/qtest in QEMU) this program
 * does what firmware and a driver would. So an edu device that QEMU has
 * got from VFIO carries bytes between two places of the inner guest's memory.
 */
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* QEMU's virt: hw/arm/virt.c */
#define ECAM		0x4010000000ULL
#define WINDOW		0x10000000ULL
#define WINDOW_BYTES	0x200000ULL
#define RAM		0x40000000ULL

/* In the inner guest's memory */
#define SOURCE		(RAM + 0x1000000)
#define DESTINATION	(RAM + 0x3000000)

static FILE *to, *from;

/* Two pipes, since this kernel need not have sockets; before QEMU starts */
void qtest_pipes(const char *path)
{
	char name[64];
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s.%s", path, i ? "out" : "in");
		unlink(name);
		if (mkfifo(name, 0600))
			die("%s: %s", name, strerror(errno));
	}
}

void qtest_connect(const char *path)
{
	char name[64];

	if (to) {
		fclose(to);
		fclose(from);
	}
	snprintf(name, sizeof(name), "%s.in", path);
	to = fopen(name, "we");
	snprintf(name, sizeof(name), "%s.out", path);
	from = fopen(name, "re");
	if (!to || !from)
		die("%s: %s", name, strerror(errno));
}

/* Sends a command and returns what stands behind OK in the answer */
#define qtest(...) (fprintf(to, __VA_ARGS__), answer())

static char *answer(void)
{
	static char line[2 * DMA_BYTES + 64];

	fputc('\n', to);
	fflush(to);
	/* interrupts are told as well */
	do {
		if (!fgets(line, sizeof(line), from))
			die("QEMU has closed the connection of qtest");
	} while (!strncmp(line, "IRQ", 3));
	if (strncmp(line, "OK", 2))
		die("qtest: %s", line);
	return line + 2;
}

static uint64_t config(int bus, int slot, int reg)
{
	return ECAM + (bus << 20 | slot << 15 | reg);
}

static unsigned int config_read(int bus, int slot, int reg)
{
	return strtoul(qtest("readl %#llx", (long long)config(bus, slot, reg)), NULL, 16);
}

static void config_write(int bus, int slot, int reg, unsigned int value)
{
	qtest("writel %#llx %#x", (long long)config(bus, slot, reg), value);
}

/* What an operating system does on its slot's behalf, and tells the port */
void qtest_power(int port, bool on)
{
	int cap = config_read(0, port, 0x34) & 0xff;

	while ((config_read(0, port, cap) & 0xff) != 0x10) {
		cap = config_read(0, port, cap) >> 8 & 0xff;
		if (!cap)
			die("root port %d has no PCI Express capability", port);
	}
	/* The power controller and the power indicator, each on or off */
	config_write(0, port, cap + 0x18, on ? 0x100 : 0x700);
}

static uint64_t bar(int port)
{
	return WINDOW + port * WINDOW_BYTES;
}

/* What firmware does: each port's bus has its own number and window */
void qtest_enable(int port)
{
	uint64_t last = bar(port) + WINDOW_BYTES - 1;

	qtest_power(port, true);
	config_write(0, port, 0x18, port << 16 | port << 8);
	config_write(0, port, 0x20, (last & 0xfff00000) | bar(port) >> 16);
	config_write(0, port, 0x04, 6);
	config_write(port, 0, 0x10, bar(port));
	config_write(port, 0, 0x04, 6);
}

static void edu_set(int port, int reg, uint64_t value)
{
	qtest("writeq %#llx %#llx", (long long)bar(port) + reg, (long long)value);
}

void qtest_edu_start(int port, uint64_t source, uint64_t destination, int command)
{
	edu_set(port, 0x80, source);
	edu_set(port, 0x88, destination);
	edu_set(port, 0x90, DMA_BYTES);
	edu_set(port, 0x98, command | 1);
}

static void edu_finish(int port)
{
	struct timespec pause = { .tv_nsec = 20000000 };
	int tries = 500;

	while (strtoull(qtest("readq %#llx", (long long)bar(port) + 0x98), NULL, 16) & 1) {
		if (!tries--)
			die("a transfer of the edu device on root port %d does not end", port);
		nanosleep(&pause, NULL);
	}
}

/* Has the device carry random bytes from memory to memory; says whether they arrived */
bool qtest_edu_copies(int port)
{
	char bytes[2 * DMA_BYTES + 1];
	int i;

	for (i = 0; i < 2 * DMA_BYTES; i++)
		bytes[i] = "0123456789abcdef"[rand() & 15];
	bytes[i] = '\0';
	qtest("write %#llx %d 0x%s", SOURCE, DMA_BYTES, bytes);
	qtest("memset %#llx %d 0", DESTINATION, DMA_BYTES);
	qtest_edu_start(port, SOURCE, 0x40000, 0);
	edu_finish(port);
	qtest_edu_start(port, 0x40000, DESTINATION, 2);
	edu_finish(port);
	return !strncmp(qtest("read %#llx %d", DESTINATION, DMA_BYTES), " 0x", 3) &&
	       strstr(qtest("read %#llx %d", DESTINATION, DMA_BYTES), bytes);
}
