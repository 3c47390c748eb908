// SPDX-License-Identifier: GPL-2.0
/*
 * The VFIO uAPI as a VMM uses it: one container of type1v2, groups that come
 * and go; and the same with iommufd as the container. Only attaching and detaching
 * a group may fail: it is what is measured. Everything else that fails means a
 * broken lab.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define BAR_BYTES	0x100000

static int open_path(const char *path)
{
	int container = open(path, O_RDWR | O_CLOEXEC);

	if (container < 0)
		die("%s: %s", path, strerror(errno));
	return container;
}

static int vfio_open_container(void)
{
	return open_path("/dev/vfio/vfio");
}

static int compat_open_container(void)
{
	return open_path("/dev/iommu");
}

static void vfio_close_container(int container)
{
	close(container);
}

static void open_group(struct group *group)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[32];

	snprintf(path, sizeof(path), "/dev/vfio/%d", group->number);
	group->fd = open(path, O_RDWR | O_CLOEXEC);
	if (group->fd < 0 || ioctl(group->fd, VFIO_GROUP_GET_STATUS, &status))
		die("%s: %s", path, strerror(errno));
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		die("%s is not viable", path);
}

/* Returns 0 or a negative errno */
static int vfio_attach(int container, struct group *group, bool first)
{
	if (!group->fd)
		open_group(group);
	if (ioctl(group->fd, VFIO_GROUP_SET_CONTAINER, &container))
		return -errno;
	/* the first group gets its domain when the container gets its type */
	if (first && ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	return 0;
}

/*
 * iommufd takes the place of the container, and each device is attached when it is
 * opened. Returns 0 or a negative errno.
 */
static int compat_attach(int container, struct group *group, bool first)
{
	struct edu *edu;
	int ret = vfio_attach(container, group, first);

	for (edu = group->edus; !ret && edu < group->edus + group->num_edus; edu++) {
		edu->fd = ioctl(group->fd, VFIO_GROUP_GET_DEVICE_FD, edu->bdf);
		if (edu->fd < 0)
			ret = -errno;
	}
	return ret;
}

/* Returns 0 or a negative errno. A group that is open keeps others from its devices */
static int vfio_detach(struct group *group)
{
	int ret = ioctl(group->fd, VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;

	close(group->fd);
	group->fd = 0;
	return ret;
}

static int compat_detach(struct group *group)
{
	int i;

	for (i = 0; i < group->num_edus; i++) {
		close(group->edus[i].fd);
		group->edus[i].fd = 0;
	}
	return vfio_detach(group);
}

/* Lets an open device do DMA, and finds its registers */
void device_setup(struct edu *edu)
{
	struct vfio_region_info config = {
		.argsz = sizeof(config),
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	struct vfio_region_info bar = {
		.argsz = sizeof(bar),
		.index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	if (ioctl(edu->fd, VFIO_DEVICE_GET_REGION_INFO, &config) ||
	    ioctl(edu->fd, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    pwrite(edu->fd, &command, sizeof(command),
		   config.offset + PCI_COMMAND) != sizeof(command))
		die("%s: config space: %s", edu->bdf, strerror(errno));
	if (!edu->can_dma)
		return;
	edu->bar = mmap(NULL, BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			edu->fd, bar.offset);
	if (edu->bar == MAP_FAILED)
		die("%s: BAR 0: %s", edu->bdf, strerror(errno));
}

void device_release(struct edu *edu)
{
	if (edu->can_dma)
		munmap((void *)edu->bar, BAR_BYTES);
}

void devices_setup(struct group *group)
{
	int i;

	for (i = 0; i < group->num_edus; i++)
		device_setup(&group->edus[i]);
}

void devices_release(struct group *group)
{
	int i;

	for (i = 0; i < group->num_edus; i++)
		device_release(&group->edus[i]);
}

static void vfio_open_devices(struct group *group)
{
	struct edu *edu;

	for (edu = group->edus; edu < group->edus + group->num_edus; edu++) {
		edu->fd = ioctl(group->fd, VFIO_GROUP_GET_DEVICE_FD, edu->bdf);
		if (edu->fd < 0)
			die("%s: %s", edu->bdf, strerror(errno));
		device_setup(edu);
	}
}

/* A group leaves its container only when none of its devices is open */
static void vfio_close_devices(struct group *group)
{
	int i;

	for (i = 0; i < group->num_edus; i++) {
		device_release(&group->edus[i]);
		close(group->edus[i].fd);
		group->edus[i].fd = 0;
	}
}

/* Where the container's first window for DMA starts: on s390 it is not 0 */
static uint64_t vfio_first_iova(int container)
{
	struct vfio_iommu_type1_info_cap_iova_range *cap;
	struct vfio_iommu_type1_info *info;
	uint64_t buffer[512] = { };

	info = (void *)buffer;
	info->argsz = sizeof(buffer);
	if (ioctl(container, VFIO_IOMMU_GET_INFO, info))
		die("VFIO_IOMMU_GET_INFO: %s", strerror(errno));
	for (cap = (void *)((char *)info + info->cap_offset);
	     info->flags & VFIO_IOMMU_INFO_CAPS && (void *)cap > (void *)info;
	     cap = (void *)((char *)info + cap->header.next))
		if (cap->header.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			return cap->iova_ranges[0].start;
	die("VFIO does not say which addresses can be mapped");
}

void range_alloc(struct range *range)
{
	range->memory = mmap(NULL, RANGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (range->memory == MAP_FAILED)
		die("out of memory");
}

static void vfio_map(int container, struct range *range)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = range->iova,
		.size = RANGE_BYTES,
	};

	range_alloc(range);
	map.vaddr = (uintptr_t)range->memory;
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		die("map at %#llx: %s", map.iova, strerror(errno));
}

/* The memory stays, so that what still reaches it is seen */
static void vfio_unmap(int container, struct range *range)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = range->iova,
		.size = RANGE_BYTES,
	};

	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		die("unmap at %#llx: %s", unmap.iova, strerror(errno));
}

const struct interface type1 = {
	.name = "type1",
	.open_container = vfio_open_container,
	.close_container = vfio_close_container,
	.attach = vfio_attach,
	.detach = vfio_detach,
	.open_devices = vfio_open_devices,
	.close_devices = vfio_close_devices,
	.first_iova = vfio_first_iova,
	.map = vfio_map,
	.unmap = vfio_unmap,
};

const struct interface compat = {
	.name = "compat",
	.open_container = compat_open_container,
	.close_container = vfio_close_container,
	.attach = compat_attach,
	.detach = compat_detach,
	.open_devices = devices_setup,
	.close_devices = devices_release,
	.first_iova = vfio_first_iova,
	.map = vfio_map,
	.unmap = vfio_unmap,
};
