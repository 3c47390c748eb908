// SPDX-License-Identifier: GPL-2.0
/* What the kernel says of devices behind an IOMMU whose smallest page is too large for it */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PCI_DEVICES	"/sys/bus/pci/devices"
#define WORDS		"larger than system page size"

/* How many lines since the boot name that device, and have those words */
static int count_lines(const char *bdf, const char *words)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), lines = 0;
	char record[8192], *text, *end;
	ssize_t n;

	if (fd < 0)
		die("/dev/kmsg: %s", strerror(errno));
	while ((n = read(fd, record, sizeof(record) - 1)) > 0) {
		record[n] = '\0';
		text = strchr(record, ';');
		end = strchr(record, '\n');
		if (!text || !end)
			continue;
		*end = '\0';
		lines += strstr(text, bdf) && strstr(text, words);
	}
	close(fd);
	return lines;
}

static int is_device(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool has(const char *bdf, const char *link)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, link);
	return !access(path, F_OK);
}

/* How many virtio-iommu have their driver; beside them are bind, uevent and more */
static int count_bound(void)
{
	char path[64];
	int i, n = 0;

	for (i = 0; i < 32; i++) {
		snprintf(path, sizeof(path), "/sys/bus/virtio/drivers/virtio_iommu/virtio%d", i);
		n += !access(path, F_OK);
	}
	return n;
}

/* The kernel looks for a device's IOMMU when it is to get a driver: a port at boot, the others here */
void run_granule(bool (*is_edu)(const char *bdf), void (*bind)(const char *bdf), int instances)
{
	struct dirent **entries;
	int i, n, devices = 0;

	n = scandir(PCI_DEVICES, &entries, is_device, alphasort);
	if (n < 0)
		die("%s: %s", PCI_DEVICES, strerror(errno));
	for (i = 0; i < n; i++) {
		const char *bdf = entries[i]->d_name;

		if (is_edu(bdf))
			bind(bdf);
		else if (!has(bdf, "driver"))
			continue;
		devices++;
		report("granule device=%s edu=%d lines=%d groups=%d vfio=%d", bdf, is_edu(bdf),
		       count_lines(bdf, WORDS), has(bdf, "iommu_group"), is_edu(bdf) && has(bdf, "driver"));
	}
	report("granule device=all devices=%d iommus=%d lines=%d bound=%d", devices, instances, count_lines("", WORDS),
	       count_bound());
}
