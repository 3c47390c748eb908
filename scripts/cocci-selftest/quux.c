// SPDX-License-Identifier: GPL-2.0
/* See foo.c. What is spared because callers treat it alike, or nobody can be told. */

static struct quux_cmd *quux_get_cmd(struct quux *quux, int nr)
{
	if (WARN_ON(nr >= quux->cmds))
		return NULL;
	return &quux->cmd[nr];
}

static struct quux_cmd *quux_find_cmd(struct quux *quux, struct quux_domain *qd)
{
	switch (qd->stage) {
	case QUUX_STAGE_1:
		if (!quux_get_cmd(quux, 1))
			return NULL;
		break;
	default:
		return NULL;
	}
	return quux->cmd;
}

static struct quux_entry *quux_find_entry(struct quux *quux)
{
	if (quux->full)
		return NULL;
	return quux->entry;
}

/* Nobody hears of it */
static void quux_stop(struct quux *quux)
{
	clk_enable(quux->clk);
	writel(0, quux->base);
}

static int quux_start(struct quux *quux)
{
	int ret = -ENODEV;

	if (quux->broken)
		return -EIO;
	if (!quux->stalls)
		return -EOPNOTSUPP;
	if (quux->lost)
		return -EFAULT; /* bad: errno */
	clk_enable(quux->bus); /* bad: false_success */
	if (quux->locked)
		goto out;
	ret = 0;
out:
	clk_enable(quux->clk);
	return ret;
}

static int quux_attach(struct iommu_domain *domain, struct device *dev,
		       struct iommu_domain *old)
{
	struct quux_domain *qd = to_quux_domain(domain);
	struct quux *quux = dev_iommu_priv_get(dev);
	struct quux_entry *entry;
	struct quux_cmd *cmd;

	if (qd->quux != quux)
		return -EIO; /* bad: errno */
	cmd = quux_find_cmd(quux, qd);
	if (!cmd)
		return -EINVAL;
	entry = quux_find_entry(quux);
	if (!entry)
		return -EINVAL; /* bad: errno */
	quux_stop(quux);
	return quux_start(quux);
}

static const struct iommu_ops quux_ops = {
	.default_domain_ops = &(const struct iommu_domain_ops) {
		.attach_dev = quux_attach,
	},
};
