// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of mtk_iommu_v1_attach_device(): what it returns, that it changes
 * nothing when it fails, and that ports let go of a domain that will be freed.
 *
 * The driver's code runs on registers in plain memory, in which invalidations end
 * at once. An M4U has one domain that translates: all others that the suite asks
 * for are identity domains. This file is included at the end of mtk_iommu_v1.c.
 */
#include "iommu-kunit-contract.h"
#include "iommu-kunit-soc.h"

#define FAKE_INSTANCES 2
#define FAKE_WINDOW 0x1000

/* Two devices of each instance */
static const struct fake_device {
	unsigned int larb;
	u32 ports;
	u32 ids[2];
	int num_ids;
} fake_devices[] = {
	{ 0, BIT(1), { MT2701_M4U_ID_LARB0(1) }, 1 },
	{ 0,
	  BIT(2) | BIT(4),
	  { MT2701_M4U_ID_LARB0(2), MT2701_M4U_ID_LARB0(4) },
	  2 },
};

#define FAKE_DEVICES ARRAY_SIZE(fake_devices)

struct fake_m4u {
	struct mtk_iommu_v1_data data;
	struct dma_iommu_mapping mapping;
	struct iommu_kunit_dma dma;
	u32 *regs;
	unsigned int writes;
	unsigned int invalidations;
	struct device *dev[FAKE_DEVICES];
	unsigned int given;
};

struct mtk_v1_test {
	struct fake_m4u *fake[FAKE_INSTANCES];
	struct iommu_domain *identity;
};

static void iommu_kunit_written(void __iomem *addr, u32 val)
{
	struct mtk_v1_test *t = current->kunit_test ? current->kunit_test->priv :
						      NULL;
	struct fake_m4u *fake;
	unsigned long offset;
	int i;

	for (i = 0; t && i < FAKE_INSTANCES; i++) {
		fake = t->fake[i];
		offset = (unsigned long)addr - (unsigned long)fake->regs;
		if (offset >= FAKE_WINDOW)
			continue;
		fake->writes++;
		if (offset != REG_MMU_INVALIDATE)
			continue;
		fake->invalidations++;
		fake->regs[REG_MMU_CPE_DONE / 4] = 1;
	}
}

static struct fake_m4u *fake_m4u(struct device *dev)
{
	return container_of(dev_iommu_priv_get(dev), struct fake_m4u, data);
}

static const struct fake_device *fake_device(struct device *dev)
{
	return &fake_devices[dev == fake_m4u(dev)->dev[1]];
}

/* That the ports of a device are translated, through the domain of all, or not */
static void mtk_v1_test_expect_on(struct kunit *test, struct device *dev,
				  struct iommu_domain *domain, int line)
{
	bool translated = domain && iommu_kunit_contract_maps(domain);
	const struct fake_device *f = fake_device(dev);
	struct fake_m4u *fake = fake_m4u(dev);
	struct mtk_iommu_v1_domain *dom;
	u32 mmu = fake->data.larb_imu[f->larb].mmu;

	KUNIT_EXPECT_EQ_MSG(test, translated ? f->ports : 0, mmu & f->ports,
			    "line %d", line);
	if (!translated)
		return;
	dom = to_mtk_domain(domain);
	KUNIT_EXPECT_PTR_EQ_MSG(test, dom, fake->data.m4u_dom, "line %d", line);
	KUNIT_EXPECT_EQ_MSG(test, virt_to_phys(dom->pgt_va),
			    fake->regs[REG_MMU_PT_BASE_ADDR / 4], "line %d",
			    line);
	KUNIT_EXPECT_EQ_MSG(test, 1, fake->dma.mapped, "line %d", line);
}

/* Like mtk_iommu_v1_probe() and mtk_iommu_v1_create_mapping() */
static struct fake_m4u *mtk_v1_test_add_instance(struct kunit *test)
{
	struct mtk_iommu_v1_data *data;
	struct fake_m4u *fake;
	int i;

	fake = kunit_kzalloc(test, sizeof(*fake), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->regs = kunit_kzalloc(test, FAKE_WINDOW, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake->regs);
	data = &fake->data;
	mutex_init(&data->mutex);
	data->base = (void __iomem __force *)fake->regs;
	data->iommu.ops = &mtk_iommu_v1_ops;
	data->dev = iommu_kunit_instance(test);
	dev_set_drvdata(data->dev, data);
	iommu_kunit_dma_add(test, &fake->dma, data->dev);
	data->mapping = &fake->mapping;
	for (i = 0; i < FAKE_DEVICES; i++) {
		fake->dev[i] = iommu_kunit_device(test, &data->iommu,
						  fake_devices[i].ids,
						  fake_devices[i].num_ids);
		dev_iommu_priv_set(fake->dev[i], data);
	}
	return fake;
}

static int mtk_v1_test_init(struct kunit *test)
{
	struct mtk_v1_test *t;
	int i;

	t = kunit_kzalloc(test, sizeof(*t), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, t);
	for (i = 0; i < FAKE_INSTANCES; i++)
		t->fake[i] = mtk_v1_test_add_instance(test);
	t->identity = iommu_kunit_domain_alloc(test, &mtk_iommu_v1_ops,
					       mtk_iommu_v1_def_domain_type(NULL));
	test->priv = t;
	return 0;
}

static void mtk_v1_test_exit(struct kunit *test)
{
	struct mtk_v1_test *t = test->priv;
	struct iommu_domain *own;
	int i, d;

	if (!t)
		return;

	for (i = 0; i < FAKE_INSTANCES; i++) {
		own = t->fake[i]->mapping.domain;
		for (d = 0; d < FAKE_DEVICES; d++) {
			if (own)
				iommu_kunit_leave(own, t->fake[i]->dev[d]);
			EXPECT_ON(test, t->fake[i]->dev[d], NULL);
		}
	}
	iommu_kunit_contract_exit(test);
	mtk_iommu_v1_domain_free(t->identity);
	for (i = 0; i < FAKE_INSTANCES; i++)
		KUNIT_EXPECT_EQ(test, 0, t->fake[i]->dma.mapped);
}

static const struct iommu_kunit_kind mtk_v1_kinds[FAKE_INSTANCES] = {
	{ "an M4U" },
	{ "another M4U" },
};

static struct device *mtk_v1_test_device(struct kunit *test, unsigned int kind)
{
	struct mtk_v1_test *t = test->priv;
	struct fake_m4u *fake = t->fake[kind];

	return fake->dev[fake->given++ % FAKE_DEVICES];
}

static struct iommu_domain *mtk_v1_test_domain(struct kunit *test,
					       struct device *dev)
{
	struct fake_m4u *fake = fake_m4u(dev);

	if (fake->mapping.domain)
		return iommu_kunit_domain_alloc(test, &mtk_iommu_v1_ops,
						IOMMU_DOMAIN_IDENTITY);
	fake->mapping.domain = iommu_kunit_domain_alloc(test, &mtk_iommu_v1_ops,
							IOMMU_DOMAIN_UNMANAGED);
	return fake->mapping.domain;
}

static void mtk_v1_test_set_default(struct kunit *test, struct device *dev)
{
	struct mtk_v1_test *t = test->priv;

	EXPECT_ATTACH(test, t->identity, dev);
}

static void mtk_v1_test_watch(struct kunit *test,
			      struct iommu_kunit_snapshot *snap)
{
	struct mtk_v1_test *t = test->priv;
	int i;

	for (i = 0; i < FAKE_INSTANCES; i++) {
		struct fake_m4u *fake = t->fake[i];

		iommu_kunit_snapshot_add(snap, "registers", fake->regs,
					 FAKE_WINDOW);
		/* With the ports, and how often it was written to */
		iommu_kunit_snapshot_add(snap, "instance", fake, sizeof(*fake));
		iommu_kunit_snapshot_skip(snap, &fake->data.mutex);
	}
}

static void mtk_v1_test_watch_domain(struct iommu_kunit_snapshot *snap,
				     struct iommu_domain *domain)
{
	struct mtk_iommu_v1_domain *dom = to_mtk_domain(domain);

	iommu_kunit_snapshot_add(snap, "domain", dom, sizeof(*dom));
	iommu_kunit_snapshot_skip(snap, &dom->pgtlock);
}

static unsigned int mtk_v1_test_touched(struct kunit *test, struct device *dev)
{
	return fake_m4u(dev)->writes;
}

/* Only the first attach to a domain needs memory, see mtk_v1_test_no_memory() */
static const struct iommu_kunit_fault mtk_v1_faults[] = {
	{ "no memory", .leaving = true },
};

static void mtk_v1_test_arm(struct kunit *test, struct device *dev,
			    const struct iommu_kunit_fault *fault)
{
	fake_m4u(dev)->dma.fail = fault;
}

/* What the driver keeps for ever goes with the test */
static void mtk_v1_test_free(struct kunit *test, struct iommu_domain *domain,
			     bool leaked)
{
	struct mtk_iommu_v1_domain *dom = to_mtk_domain(domain);
	struct mtk_iommu_v1_data *data = dom->data;

	if (data) {
		dma_free_coherent(data->dev, M2701_IOMMU_PGT_SIZE, dom->pgt_va,
				  dom->pgt_pa);
		data->m4u_dom = NULL;
		data->mapping->domain = NULL;
		dom->data = NULL;
	}
	mtk_iommu_v1_domain_free(domain);
}

static const struct iommu_kunit_driver iommu_kunit_driver = {
	.ops = &mtk_iommu_v1_ops,
	.kinds = mtk_v1_kinds,
	.num_kinds = ARRAY_SIZE(mtk_v1_kinds),
	.faults = mtk_v1_faults,
	.num_faults = ARRAY_SIZE(mtk_v1_faults),
	.shape_stays = true,
	.iova = SZ_1M,
	.device = mtk_v1_test_device,
	.domain = mtk_v1_test_domain,
	.set_default = mtk_v1_test_set_default,
	.watch = mtk_v1_test_watch,
	.watch_domain = mtk_v1_test_watch_domain,
	.expect_on = mtk_v1_test_expect_on,
	.touched = mtk_v1_test_touched,
	.arm = mtk_v1_test_arm,
	.free = mtk_v1_test_free,
};

/* A domain for which there is no page table, whether the other is in use */
static void mtk_v1_test_busy(struct kunit *test)
{
	struct device *dev = mtk_v1_test_device(test, 0);
	struct iommu_domain *own = iommu_kunit_contract_domain(test, dev);
	struct mtk_v1_test *t = test->priv;
	struct iommu_domain *fresh;

	fresh = iommu_kunit_domain_alloc(test, &mtk_iommu_v1_ops,
					 IOMMU_DOMAIN_UNMANAGED);
	iommu_kunit_contract_keep(test, fresh);
	EXPECT_FAILS(test, fresh, dev, -EBUSY);
	EXPECT_ATTACH(test, own, dev);
	EXPECT_FAILS(test, fresh, dev, -EBUSY);
	EXPECT_ON(test, dev, own);
	EXPECT_LEFT(test, fresh, dev);
	EXPECT_ATTACH(test, t->identity, dev);
	EXPECT_FAILS(test, fresh, dev, -EBUSY);
	EXPECT_ON(test, dev, t->identity);
}

static void mtk_v1_test_no_memory(struct kunit *test)
{
	struct device *dev = mtk_v1_test_device(test, 0);
	struct device *other = mtk_v1_test_device(test, 0);
	struct iommu_domain *own = iommu_kunit_contract_domain(test, dev);
	struct mtk_v1_test *t = test->priv;

	EXPECT_ATTACH(test, t->identity, dev);
	t->fake[0]->dma.fail = true;
	EXPECT_FAILS(test, own, dev, -ENOMEM);
	EXPECT_ON(test, dev, NULL);
	/* The core puts it back */
	EXPECT_AGAIN(test, t->identity, dev);
	t->fake[0]->dma.fail = false;
	EXPECT_ATTACH(test, own, other);
	/* The others need no more */
	t->fake[0]->dma.fail = true;
	EXPECT_ATTACH(test, own, dev);
	EXPECT_ON(test, dev, own);
	EXPECT_ON(test, other, own);
}

/* The table stays when it is freed, as the M4U goes on with it */
static void mtk_v1_test_free_left(struct kunit *test)
{
	struct device *dev = mtk_v1_test_device(test, 0);
	struct iommu_domain *own = iommu_kunit_contract_domain(test, dev);
	struct mtk_v1_test *t = test->priv;

	EXPECT_ATTACH(test, own, dev);
	EXPECT_ATTACH(test, t->identity, dev);
	mtk_iommu_v1_domain_free(own);
	EXPECT_ATTACH(test, own, dev);
	EXPECT_ON(test, dev, own);
}

/* What is mapped or unmapped is not in the TLB */
static void mtk_v1_test_mappings(struct kunit *test)
{
	struct device *dev = mtk_v1_test_device(test, 0);
	struct iommu_domain *own = iommu_kunit_contract_domain(test, dev);
	struct fake_m4u *fake = fake_m4u(dev);

	EXPECT_ATTACH(test, own, dev);
	iommu_kunit_contract_map(test, own);
	KUNIT_EXPECT_EQ(test, 1, fake->invalidations);
	KUNIT_EXPECT_EQ(test, SZ_1M, fake->regs[REG_MMU_INVLD_START_A / 4]);
	KUNIT_EXPECT_EQ(test, SZ_4K, iommu_unmap(own, SZ_1M, SZ_4K));
	KUNIT_EXPECT_EQ(test, 2, fake->invalidations);
	KUNIT_EXPECT_EQ(test, 0, iommu_iova_to_phys(own, SZ_1M));
}

/* An interrupt without any domain, and with one */
static void mtk_v1_test_irq(struct kunit *test)
{
	struct device *dev = mtk_v1_test_device(test, 0);
	struct iommu_domain *own = iommu_kunit_contract_domain(test, dev);
	struct fake_m4u *fake = fake_m4u(dev);

	KUNIT_EXPECT_EQ(test, IRQ_HANDLED, mtk_iommu_v1_isr(0, &fake->data));
	KUNIT_EXPECT_EQ(test, F_INT_CLR_BIT,
			fake->regs[REG_MMU_INT_CONTROL / 4]);
	EXPECT_ATTACH(test, own, dev);
	KUNIT_EXPECT_EQ(test, IRQ_HANDLED, mtk_iommu_v1_isr(0, &fake->data));
}

/* The registers are lost in suspend, also those without a page table */
static void mtk_v1_test_resume(struct kunit *test)
{
	struct device *dev = mtk_v1_test_device(test, 0);
	struct iommu_domain *own = iommu_kunit_contract_domain(test, dev);
	struct fake_m4u *fake = fake_m4u(dev);

	KUNIT_EXPECT_EQ(test, 0, mtk_iommu_v1_suspend(fake->data.dev));
	KUNIT_EXPECT_EQ(test, 0, mtk_iommu_v1_resume(fake->data.dev));
	KUNIT_EXPECT_EQ(test, 0, fake->regs[REG_MMU_PT_BASE_ADDR / 4]);

	EXPECT_ATTACH(test, own, dev);
	KUNIT_EXPECT_EQ(test, 0, mtk_iommu_v1_suspend(fake->data.dev));
	memset(fake->regs, 0, FAKE_WINDOW);
	KUNIT_EXPECT_EQ(test, 0, mtk_iommu_v1_resume(fake->data.dev));
	EXPECT_ON(test, dev, own);
}

static struct kunit_case mtk_v1_test_cases[] = {
	IOMMU_KUNIT_CONTRACT(attach),
	IOMMU_KUNIT_CONTRACT(refused),
	IOMMU_KUNIT_CONTRACT(leave),
	IOMMU_KUNIT_CONTRACT(join),
	KUNIT_CASE(mtk_v1_test_busy),
	KUNIT_CASE(mtk_v1_test_no_memory),
	KUNIT_CASE(mtk_v1_test_free_left),
	KUNIT_CASE(mtk_v1_test_mappings),
	KUNIT_CASE(mtk_v1_test_irq),
	KUNIT_CASE(mtk_v1_test_resume),
	{}
};

static struct kunit_suite mtk_v1_test_suite = {
	.name = "mtk-iommu-v1",
	.init = mtk_v1_test_init,
	.exit = mtk_v1_test_exit,
	.test_cases = mtk_v1_test_cases,
};

kunit_test_suite(mtk_v1_test_suite);
