/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What lab/selftests includes in front of each file of the VFIO selftests. Those that are not
 * written for each way to attach a device use iommufd, which 6.1 lacks: there they use type 1.
 */
extern const char *default_iommu_mode;
extern int access(const char *path, int mode);

static void __attribute__((constructor)) type1_is_default(void)
{
	if (access("/dev/iommu", 0))
		default_iommu_mode = "vfio_type1v2_iommu";
}

/* To pin and map 1 GiB takes an emulated processor longer than the 30 s that a test has */
#ifdef LAB_SMALL
#include <linux/sizes.h>
#undef SZ_1G
#define SZ_1G	0x02000000
#endif
