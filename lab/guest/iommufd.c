// SPDX-License-Identifier: GPL-2.0
/*
 * iommufd and VFIO's cdevs, as a VMM uses them: an IOAS takes the place of a
 * container. Each device of a group is attached by itself, and can be moved to
 * another IOAS or to a hwpt that was made by hand. The headers of Debian 12
 * have nothing of it.
 */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define IOMMU_DESTROY			_IO(VFIO_TYPE, 0x80)
#define IOMMU_IOAS_ALLOC		_IO(VFIO_TYPE, 0x81)
#define IOMMU_IOAS_IOVA_RANGES		_IO(VFIO_TYPE, 0x84)
#define IOMMU_IOAS_MAP			_IO(VFIO_TYPE, 0x85)
#define IOMMU_IOAS_UNMAP		_IO(VFIO_TYPE, 0x86)
#define IOMMU_HWPT_ALLOC		_IO(VFIO_TYPE, 0x89)
#define VFIO_DEVICE_BIND_IOMMUFD	_IO(VFIO_TYPE, VFIO_BASE + 18)
#define VFIO_DEVICE_ATTACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 19)
#define VFIO_DEVICE_DETACH_IOMMUFD_PT	_IO(VFIO_TYPE, VFIO_BASE + 20)

#define MAP_FIXED_READ_WRITE		7

static int fd;

/* Every argument begins with its size */
static void must(unsigned long request, void *arg, const char *what)
{
	if (ioctl(fd, request, arg))
		die("%s: %s", what, strerror(errno));
}

static int ioas_alloc(void)
{
	struct { uint32_t size, flags, id; } alloc = { sizeof(alloc) };

	if (!fd)
		fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("/dev/iommu: %s", strerror(errno));
	must(IOMMU_IOAS_ALLOC, &alloc, "IOMMU_IOAS_ALLOC");
	return alloc.id;
}

void iommufd_destroy(uint32_t id)
{
	struct { uint32_t size, id; } destroy = { sizeof(destroy), id };

	must(IOMMU_DESTROY, &destroy, "IOMMU_DESTROY");
}

static void ioas_destroy(int ioas)
{
	iommufd_destroy(ioas);
}

/* A hwpt with what the IOAS maps, for the IOMMU that the group is behind */
uint32_t iommufd_hwpt_alloc(struct group *group, int ioas)
{
	struct {
		uint32_t size, flags, dev_id, pt_id, out_hwpt_id, reserved;
		uint32_t data_type, data_len;
		uint64_t data_uptr;
	} alloc = {
		.size = sizeof(alloc),
		.dev_id = group->edus[0].id,
		.pt_id = ioas,
	};

	must(IOMMU_HWPT_ALLOC, &alloc, "IOMMU_HWPT_ALLOC");
	return alloc.out_hwpt_id;
}

/* /dev/vfio/devices/vfioN, where N is in sysfs */
static void cdev_open(struct edu *edu)
{
	struct { uint32_t argsz, flags; int32_t iommufd; uint32_t devid; uint64_t token; } bind = {
		.argsz = sizeof(bind),
		.iommufd = fd,
	};
	char path[300];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vfio-dev", edu->bdf);
	dir = opendir(path);
	if (!dir)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir)) && entry->d_name[0] == '.')
		;
	if (!entry)
		die("%s is empty", path);
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);
	edu->fd = open(path, O_RDWR | O_CLOEXEC);
	if (edu->fd < 0 || ioctl(edu->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		die("%s: %s", path, strerror(errno));
	edu->id = bind.devid;
}

/*
 * Attaches the devices of a group, or moves them: the first one moves all. Returns
 * 0 or a negative errno.
 */
int iommufd_change(struct group *group, uint32_t pt)
{
	int i;

	for (i = 0; i < group->num_edus; i++) {
		struct { uint32_t argsz, flags, pt_id; } attach = { sizeof(attach), 0, pt };

		if (ioctl(group->edus[i].fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
			return -errno;
	}
	return 0;
}

/* Moves the group with an argument that nothing can be written to. Returns 0 or a negative errno */
int iommufd_change_unwritten(struct group *group, uint32_t pt)
{
	struct { uint32_t argsz, flags, pt_id; } *attach;
	int ret;

	attach = mmap(NULL, sizeof(*attach), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (attach == MAP_FAILED)
		die("out of memory");
	attach->argsz = sizeof(*attach);
	attach->pt_id = pt;
	mprotect(attach, sizeof(*attach), PROT_READ);
	ret = ioctl(group->edus[0].fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach) ? -errno : 0;
	munmap(attach, sizeof(*attach));
	return ret;
}

/* Returns 0 or a negative errno */
static int iommufd_attach(int ioas, struct group *group, bool first)
{
	int i;

	(void)first;
	for (i = 0; i < group->num_edus; i++)
		if (!group->edus[i].fd)
			cdev_open(&group->edus[i]);
	return iommufd_change(group, ioas);
}

/* Takes the group off its hwpt and keeps it open. Returns 0 or a negative errno */
int iommufd_leave(struct group *group)
{
	struct { uint32_t argsz, flags; } detach = { sizeof(detach), 0 };
	int i;

	for (i = 0; i < group->num_edus; i++)
		if (ioctl(group->edus[i].fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach))
			return -errno;
	return 0;
}

static int iommufd_detach(struct group *group)
{
	int i, ret = iommufd_leave(group);

	for (i = 0; i < group->num_edus; i++) {
		close(group->edus[i].fd);
		group->edus[i].fd = 0;
	}
	return ret;
}

static struct { uint64_t start, last; } allowed[64];

/* How many windows for DMA the IOAS has, between what its devices have reserved */
int iommufd_windows(int ioas)
{
	struct {
		uint32_t size, ioas_id, num_iovas, reserved;
		uint64_t allowed_iovas, out_iova_alignment;
	} ranges = {
		.size = sizeof(ranges),
		.ioas_id = ioas,
		.num_iovas = 64,
		.allowed_iovas = (uintptr_t)allowed,
	};

	must(IOMMU_IOAS_IOVA_RANGES, &ranges, "IOMMU_IOAS_IOVA_RANGES");
	return ranges.num_iovas;
}

static uint64_t first_iova(int ioas)
{
	iommufd_windows(ioas);
	return allowed[0].start;
}

static void map(int ioas, struct range *range)
{
	struct {
		uint32_t size, flags, ioas_id, reserved;
		uint64_t user_va, length, iova;
	} map = { sizeof(map), MAP_FIXED_READ_WRITE, ioas };

	range_alloc(range);
	map.user_va = (uintptr_t)range->memory;
	map.length = RANGE_BYTES;
	map.iova = range->iova;
	must(IOMMU_IOAS_MAP, &map, "IOMMU_IOAS_MAP");
}

static void unmap(int ioas, struct range *range)
{
	struct {
		uint32_t size, ioas_id;
		uint64_t iova, length;
	} unmap = { sizeof(unmap), ioas, range->iova, RANGE_BYTES };

	must(IOMMU_IOAS_UNMAP, &unmap, "IOMMU_IOAS_UNMAP");
}

const struct interface iommufd = {
	.name = "iommufd",
	.open_container = ioas_alloc,
	.close_container = ioas_destroy,
	.attach = iommufd_attach,
	.detach = iommufd_detach,
	.open_devices = devices_setup,
	.close_devices = devices_release,
	.first_iova = first_iova,
	.map = map,
	.unmap = unmap,
};
