// SPDX-License-Identifier: GPL-2.0
/*
 * What the semantic patches must and must not report, in a driver whose ops are
 * a compound literal. Never compiled. A line that is to be reported says by
 * which semantic patch; every other line is not to be.
 */

static bool foo_fits(struct foo_domain *fd, struct foo *foo)
{
	return fd->foo == foo;
}

static int foo_alloc(struct foo_domain *fd)
{
	fd->iop = alloc_io_pgtable_ops(ARM_V7S, &fd->cfg, fd);
	if (!fd->iop)
		return -EINVAL; /* bad: errno */
	fd->table = kzalloc(SZ_4K, GFP_KERNEL);
	if (!fd->table)
		return -ENOMEM;
	return 0;
}

/* The second file of the driver */
int foo_enable(struct foo *foo, struct foo_domain *fd);
int foo_reset(struct foo *foo);

static int foo_unset(struct foo_domain *fd, struct foo *foo)
{
	int ret = 0;

	if (fd->domain.foo != foo)
		return ret; /* bad: false_success */
	ret = foo_alloc(fd);
	if (ret)
		return ret;
	return ret;
}

static int foo_jump(struct foo_domain *fd, struct foo *foo)
{
	int ret;

	mutex_lock(&fd->lock);
	if (fd->foo != foo) { /* bad: false_success */
		dev_dbg(foo->dev, "other instance\n");
		goto unlock;
	}
	ret = foo_alloc(fd);
unlock:
	mutex_unlock(&fd->lock);
	return ret;
}

static int foo_no_jump(struct foo_domain *fd, struct foo *foo)
{
	int ret;

	mutex_lock(&fd->lock);
	if (fd->foo != foo) {
		dev_dbg(foo->dev, "other instance\n");
		ret = -EINVAL;
		goto unlock;
	}
	ret = foo_alloc(fd);
unlock:
	mutex_unlock(&fd->lock);
	return ret;
}

static int foo_store(struct foo_domain *fd, struct foo *foo)
{
	foo->domain = fd; /* bad: check_first */
	if (fd->foo != foo)
		return -EINVAL;
	foo->users++;
	return 0;
}

static int foo_undone(struct foo_domain *fd, struct foo *foo)
{
	struct foo_domain *old = foo->domain;

	foo->domain = fd;
	if (fd->foo != foo) {
		foo->domain = old;
		return -EINVAL;
	}
	return 0;
}

static int foo_move(struct foo_domain *fd, struct foo *foo)
{
	int ret;

	foo_detach(foo); /* bad: check_first */
	ret = foo_no_jump(fd, foo);
	return ret;
}

static int foo_speak(struct foo_domain *fd, struct foo *foo)
{
	int ret;

	if (fd->foo != foo) {
		dev_err(foo->dev, "other instance\n"); /* bad: silent */
		return -EINVAL;
	}
	if (WARN_ON(fd->width > foo->width)) { /* bad: silent */
		ret = -EINVAL;
		goto out;
	}
	if (!foo->powered) {
		dev_err(foo->dev, "no power\n");
		return -ENODEV;
	}
	if (fd->coherent != foo->coherent) {
		ret = -EINVAL;
		pci_warn(foo->pdev, "not coherent\n"); /* bad: silent */
		return ret;
	}
	ret = foo_no_jump(fd, foo);
	if (ret == -ENOMEM)
		return ret;
	if (ret) {
		dev_info(foo->dev, "cannot attach\n"); /* bad: silent */
		return ret;
	}
	ret = foo_enable(foo, fd);
	if (ret)
		dev_err(foo->dev, "cannot enable\n");
out:
	return ret;
}

/* Not reached by attach_dev */
static int foo_map(struct iommu_domain *domain)
{
	dev_err(to_foo_domain(domain)->dev, "not now\n");
	return -EINVAL;
}

static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *fd = to_foo_domain(domain);
	struct foo *foo = dev_iommu_priv_get(dev);
	int ret;

	if (!foo)
		return 0; /* bad: false_success */
	if (!dev->of_node)
		return -EINVAL; /* bad: errno */
	if (fd->foo != foo)
		return -EXDEV; /* bad: errno */
	if (fd->foo == foo && !foo_fits(fd, foo))
		return -EINVAL;
	if (foo->domain == fd)
		return 0;

	foo_reset(foo); /* bad: false_success */
	clk_enable(foo->clk); /* bad: false_success */

	ret = foo_unset(fd, foo) ?: foo_store(fd, foo) ?: foo_undone(fd, foo);
	if (ret)
		return ret;
	ret = foo_jump(fd, foo);
	if (ret)
		return ret;
	ret = foo_move(fd, foo);
	if (ret)
		return ret;
	return foo_speak(fd, foo);
}

static const struct iommu_ops foo_ops = {
	.default_domain_ops = &(const struct iommu_domain_ops) {
		.attach_dev	= foo_attach_dev,
		.map_pages	= foo_map,
	},
};
