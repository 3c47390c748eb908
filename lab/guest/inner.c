// SPDX-License-Identifier: GPL-2.0
/*
 * The lab's kernel as the guest of QEMU in the guest: drives edu devices without
 * an IOMMU of its own, at addresses that are memory's, as a kernel's driver does.
 */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define PAGE		0x1000
#define BAR_BYTES	0x100000

uint64_t physical(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	if (fd < 0 || pread(fd, &entry, sizeof(entry), (uintptr_t)address / PAGE * sizeof(entry)) != sizeof(entry))
		die("/proc/self/pagemap: %s", strerror(errno));
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

/* Without VFIO */
void edu_enable(struct edu *edu)
{
	const uint16_t memory_and_master = 6;
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/config", edu->bdf);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, &memory_and_master, 2, 4) != 2)
		die("%s: %s", path, strerror(errno));
	close(fd);
	snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource0", edu->bdf);
	fd = open(path, O_RDWR | O_CLOEXEC);
	edu->bar = mmap(NULL, BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (edu->bar == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

void run_inner(bool (*is_edu)(const char *bdf))
{
	uint8_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED | MAP_POPULATE, -1, 0);
	int i, tried = 0, reached = 0;
	struct edu edu = { };
	struct dirent *entry;
	DIR *dir = opendir(PCI_DEVICES);

	if (!dir || pages == MAP_FAILED)
		die("%s: %s", PCI_DEVICES, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !is_edu(entry->d_name))
			continue;
		snprintf(edu.bdf, sizeof(edu.bdf), "%.15s", entry->d_name);
		edu_enable(&edu);
		for (i = 0; i < DMA_BYTES; i++)
			pages[i] = rand();
		memset(pages + PAGE, 0, PAGE);
		edu_read_memory(&edu, physical(pages));
		edu_wait(&edu);
		edu_write_memory(&edu, physical(pages + PAGE));
		edu_wait(&edu);
		tried++;
		reached += !memcmp(pages, pages + PAGE, DMA_BYTES);
	}
	report("inner tried=%d reached=%d", tried, reached);
	finish();
}
