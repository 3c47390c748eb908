// SPDX-License-Identifier: GPL-2.0
/* /init: makes the system up to where VFIO has the devices, then measures. */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

static int is_module(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* A distribution's kernel has VFIO in modules; lab/run numbered them */
static void load_modules(void)
{
	struct dirent **entries;
	char path[PATH_MAX];
	int i, n, fd;

	n = scandir("/modules", &entries, is_module, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/modules/%s", entries[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			die("%s: %s", path, strerror(errno));
		close(fd);
	}
	/* What the command line tells a driver that is built in */
	if (n > 0)
		put("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
		    "Y");
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

static bool has_id(const char *bdf, unsigned long vendor, unsigned long device)
{
	return read_hex(bdf, "vendor") == vendor &&
	       read_hex(bdf, "device") == device;
}

static bool is_edu(const char *bdf)
{
	return has_id(bdf, 0x1234, 0x11e8);
}

/* edu, where QEMU has none virtio-rng, and for programs that want one e1000e or igb */
static int is_ours(const struct dirent *entry)
{
	return entry->d_name[0] != '.' &&
	       (is_edu(entry->d_name) || has_id(entry->d_name, 0x1af4, 0x1044) ||
		has_id(entry->d_name, 0x8086, 0x10d3) || has_id(entry->d_name, 0x8086, 0x10c9));
}

static void bind_to_vfio(const char *bdf)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf);
	put(path, "vfio-pci");
	put("/sys/bus/pci/drivers_probe", bdf);
}

/*
 * How many IOMMUs there are that do not take each other's domains. Where it is
 * one, a driver may still have several, as s390 has one per PCI function.
 */
static int instances;

static bool same_iommu(const struct group *a, const struct group *b)
{
	return instances == 1 || !strcmp(a->iommu, b->iommu);
}

/* The first group behind an IOMMU gets a letter, the next ones A2, A3 or so */
static void name_group(struct group *groups, struct group *new)
{
	char letter = 'A', mine = 0;
	struct group *old;
	int n = 1;

	for (old = groups; old < new; old++) {
		if (same_iommu(old, new)) {
			mine = old->name[0];
			n++;
		}
		if (!old->name[1])
			letter++;
	}
	if (mine)
		sprintf(new->name, "%c%d", mine, n % 10);
	else
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
	edu->can_dma = is_edu(bdf);
	report("device group=%s bdf=%s number=%s devices=%d iommu=%s dma=%s",
	       group->name, edu->bdf, number, group->devices, group->iommu,
	       edu->can_dma ? "yes" : "no");
	return count;
}

static int find_groups(struct group *groups)
{
	struct dirent **entries;
	int i, n, count = 0;

	n = scandir(PCI_DEVICES, &entries, is_ours, alphasort);
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
	const char *functions, *number, *interfaces;
	struct utsname uts;
	bool tracepoint;
	cpu_set_t cpu;
	int count;

	mount_all();
	if (getenv("LAB_INNER"))
		run_inner(is_edu);
	load_modules();
	/* one CPU's trace buffer is in order */
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);

	functions = getenv("LAB_FUNCTIONS");
	number = getenv("LAB_INSTANCES");
	interfaces = getenv("LAB_INTERFACES");
	if (!functions || !number || !interfaces)
		die("LAB_FUNCTIONS, LAB_INSTANCES or LAB_INTERFACES is not on the kernel's command line");
	instances = atoi(number);
	tracepoint = trace_setup(functions);
	uname(&uts);
	report("kernel release=%s functions=%s tracepoint=%s", uts.release,
	       functions, tracepoint ? "yes" : "no");

	if (getenv("LAB_GRANULE")) {
		run_granule(is_edu, bind_to_vfio, instances);
		report("done");
		finish();
	}
	count = find_groups(groups);
	if (getenv("LAB_CLIENTS")) {
		run_clients(groups, count);
	} else if (getenv("LAB_SELFTESTS")) {
		run_selftests(groups, count);
	} else {
		run_scenario(&type1, groups, count, instances);
		if (strstr(interfaces, "iommufd"))
			run_scenario(&iommufd, groups, count, instances);
		if (strstr(interfaces, "compat"))
			run_scenario(&compat, groups, count, instances);
	}
	report("done");
	finish();
}
