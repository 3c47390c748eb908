// SPDX-License-Identifier: GPL-2.0
/* See foo.c. The ops are a struct that has a name. */

static int bar_attach(struct iommu_domain *domain, struct device *dev)
{
	switch (domain->type) {
	case IOMMU_DOMAIN_DMA:
		break;
	default:
		return -EINVAL;
	}
	switch (dev_bar(dev)->state) {
	case BAR_RUNS:
		return 0;
	default:
		return -EINVAL; /* bad: errno */
	}
}

static const struct iommu_domain_ops bar_domain_ops = {
	.attach_dev = bar_attach,
};
