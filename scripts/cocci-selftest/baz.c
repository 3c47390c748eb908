// SPDX-License-Identifier: GPL-2.0
/* See foo.c. The ops come from a macro. */

#define BAZ_OPS(name)						\
	static const struct iommu_domain_ops name = {		\
		.attach_dev = baz_attach,			\
	}

static int baz_attach(struct iommu_domain *domain, struct device *dev)
{
	struct baz *baz = dev_iommu_priv_get(dev);

	if (!baz)
		return -ENODEV;
	if (to_baz_domain(domain)->baz != baz) {
		dev_err(dev, "other baz\n");
		return -ENXIO; /* bad: errno */
	}
	return 0;
}

BAZ_OPS(baz_ops);
