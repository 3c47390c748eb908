// SPDX-License-Identifier: GPL-2.0-only
/* /init: makes the system up to where VFIO has the devices, then measures. */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PCI_DEVICES	"/sys/bus/pci/devices"

static void mount_all(void)
{
	static const struct {
		const char *type, *path;
	} mounts[] = {
		{ "devtmpfs", "/dev" },
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "tracefs", "/sys/kernel/tracing" },
	};
	size_t i;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].path, 0755);
		if (mount(mounts[i].type, mounts[i].path, mounts[i].type, 0,
			  NULL))
			die("mount %s: %s", mounts[i].path, strerror(errno));
	}
}

static unsigned long read_hex(const char *bdf, const char *name)
{
	char path[PATH_MAX], text[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, name);
	file = fopen(path, "re");
	if (!file || !fgets(text, sizeof(text), file))
		die("%s: %s", path, strerror(errno));
	fclose(file);
	return strtoul(text, NULL, 16);
}

static int is_edu(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	       read_hex(entry->d_name, "vendor") == 0x1234 &&
	       read_hex(entry->d_name, "device") == 0x11e8;
}

static void bind_to_vfio(const char *bdf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	put(path, "vfio-pci");
	put("/sys/bus/pci/drivers_probe", bdf);
}

/* The first group behind an IOMMU gets a letter, the next one A2 or so */
static void name_group(struct group *groups, struct group *new)
{
	char letter = 'A';
	struct group *old;

	for (old = groups; old < new; old++) {
		if (!strcmp(old->iommu, new->iommu)) {
			sprintf(new->name, "%c2", old->name[0]);
			return;
		}
		if (!old->name[1])
			letter++;
	}
	sprintf(new->name, "%c", letter);
}

/* Adds a device to the group that it is in; returns the number of groups */
static int add_edu(struct group *groups, int count, const char *bdf)
{
	char path[PATH_MAX], number[32];
	struct group *group;
	struct edu *edu;

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu_group", bdf);
	link_name(path, number, sizeof(number));
	for (group = groups; group < groups + count; group++)
		if (group->number == atoi(number))
			break;
	if (group == groups + count) {
		if (count++ == MAX_GROUPS)
			die("more than %d groups", MAX_GROUPS);
		group->number = atoi(number);
		snprintf(path, sizeof(path), PCI_DEVICES "/%s/iommu", bdf);
		link_name(path, group->iommu, sizeof(group->iommu));
		strcat(path, "_group/devices");
		group->devices = count_entries(path);
		name_group(groups, group);
	}
	if (group->num_edus == MAX_EDUS)
		die("more than %d devices in a group", MAX_EDUS);
	edu = &group->edus[group->num_edus++];
	snprintf(edu->bdf, sizeof(edu->bdf), "%.15s", bdf);
	report("device group=%s bdf=%s number=%s devices=%d iommu=%s",
	       group->name, edu->bdf, number, group->devices, group->iommu);
	return count;
}

static int find_groups(struct group *groups)
{
	struct dirent **entries;
	int i, n, count = 0;

	n = scandir(PCI_DEVICES, &entries, is_edu, alphasort);
	if (n < 0)
		die("%s: %s", PCI_DEVICES, strerror(errno));
	/* only a device that has a driver is sure to have its IOMMU */
	for (i = 0; i < n; i++)
		bind_to_vfio(entries[i]->d_name);
	for (i = 0; i < n; i++)
		count = add_edu(groups, count, entries[i]->d_name);
	return count;
}

int main(void)
{
	static struct group groups[MAX_GROUPS];
	const char *driver;
	struct utsname uts;
	bool tracepoint;
	cpu_set_t cpu;
	int count;

	mount_all();
	/* one CPU's trace buffer is in order */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);

	driver = getenv("LAB_DRIVER");
	if (!driver)
		die("LAB_DRIVER is not on the kernel's command line");
	tracepoint = trace_setup(driver);
	uname(&uts);
	report("kernel release=%s driver=%s tracepoint=%s", uts.release, driver,
	       tracepoint ? "yes" : "no");

	count = find_groups(groups);
	run_scenario(groups, count);
	report("done");
	reboot(RB_POWER_OFF);
	return 1;
}
