// SPDX-License-Identifier: GPL-2.0
/* See foo.c. What looks like a fault, and is none; and what is one beside it. */

static struct iommu_domain qux_identity_domain;

/* No domain of this kind is possible, whichever it is */
static int qux_identity_attach(struct iommu_domain *domain, struct device *dev,
			       struct iommu_domain *old)
{
	struct qux *qux = dev_iommu_priv_get(dev);

	if (!qux->bypasses)
		return -EINVAL;
	if (old == domain || !old)
		return 0;
	qux_switch(qux, to_qux_domain(old));
	return qux_reset(qux);
}

static const struct iommu_domain_ops qux_identity_ops = {
	.attach_dev = qux_identity_attach,
};

static struct iommu_domain qux_identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &qux_identity_ops,
};

static int qux_reset(struct qux *qux)
{
	if (!qux->bypasses)
		return -EINVAL; /* bad: errno */
	if (!cap_reset(qux->cap)) {
		pr_err("cannot be reset\n");
		return -EINVAL;
	}
	if (!cap_stop(qux->cap)) {
		pr_err("cannot be stopped\n"); /* bad: silent */
		return -EINVAL;
	}
	switch (qux->status) {
	case QUX_INVALID:
		return -EINVAL;
	case QUX_GONE:
		return -EINVAL; /* bad: errno */
	}
	return 0;
}

static int qux_compatible(struct qux_domain *qd, struct qux *qux)
{
	return qd->resets && !cap_reset(qux->cap) ? -EINVAL : 0;
}

/* Only asserted */
static int qux_check(struct qux_domain *qd, struct qux *qux)
{
	if (WARN_ON(!qd->table || qux->state != QUX_RUNS))
		return -EINVAL;
	if (WARN_ON(qd->end < qux->end)) /* bad: silent */
		return -EINVAL;
	return 0;
}

/* What this changes is on the stack of the caller */
static int qux_prepare(struct qux_state *state, struct qux_domain *qd)
{
	state->enabled = true;
	qd->prepared = true; /* bad: check_first */
	if (qd->qux != state->qux)
		return -EINVAL;
	return 0;
}

static void qux_block(struct qux *qux)
{
	list_del(&qux->link);
	qux->domain = NULL;
}

/* A function on the way out undoes it, in part */
static int qux_program(struct qux *qux, struct qux_domain *qd)
{
	int ret;

	qux->domain = qd;
	qux->programmed = true; /* bad: check_first */
	list_add(&qux->link, &qd->devices);
	ret = qux_check(qd, qux);
	if (ret)
		goto out_block;
	return 0;

out_block:
	qux_block(qux);
	return ret;
}

static void qux_flush_tlb(struct qux *qux)
{
	pm_runtime_get_sync(qux->dev);
	writel(0, qux->base);
	pm_runtime_put(qux->dev);
}

static int qux_attach(struct iommu_domain *domain, struct device *dev,
		      struct iommu_domain *old)
{
	struct qux_domain *qd = to_qux_domain(domain);
	struct qux *qux = dev_iommu_priv_get(dev);
	struct qux_state state = { .qux = qux };
	int ret;

	ret = qux_compatible(qd, qux);
	if (ret)
		return ret;
	ret = qux_prepare(&state, qd);
	if (ret)
		return ret;
	ret = qux_program(qux, qd);
	if (ret) {
		qux_reset(qux);
		return ret;
	}
	pci_enable_ats(qux->pdev, PAGE_SHIFT);
	qux_flush_tlb(qux);
	qux_reset(qux); /* bad: false_success */
	return 0;
}

static const struct iommu_ops qux_ops = {
	.default_domain_ops = &(const struct iommu_domain_ops) {
		.attach_dev = qux_attach,
	},
};
