// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of attaching devices in the driver for SMMUv1 and v2.
 *
 * They run the driver's own code on SMMUs that consist of memory only: it reads
 * what it supports from ID registers, is reset, is powered by a clock through
 * runtime PM, and maps its page tables for DMA, and each of the latter can fail.
 * Nothing in the register window has to react, as a TLB that is never busy is
 * what zeroed memory looks like. The tracepoints in writel() and readl() show
 * accesses without power, and what a TLB may hold when page tables are freed.
 *
 * This file is included at the end of arm-smmu.c.
 */
#include <linux/adreno-smmu-priv.h>
#include <linux/clk-provider.h>
#include <linux/dma-map-ops.h>
#include <linux/error-injection.h>
#include <linux/irq.h>
#include <linux/kprobes.h>
#include <linux/pm_domain.h>
#include <trace/events/rwmmio.h>

#include "../../iommu-kunit-contract.h"

/* Two stages, 8 stream mapping groups for 8 bits of stream ID */
#define SMMU_KUNIT_ID0                                              \
	(ARM_SMMU_ID0_S1TS | ARM_SMMU_ID0_S2TS | ARM_SMMU_ID0_SMS | \
	 FIELD_PREP(ARM_SMMU_ID0_NUMSIDB, 8) |                      \
	 FIELD_PREP(ARM_SMMU_ID0_NUMSMRG, 8))
#define SMMU_KUNIT_NO_AARCH32 \
	(ARM_SMMU_ID0_PTFS_NO_AARCH32 | ARM_SMMU_ID0_PTFS_NO_AARCH32S)
/* 48 bits each */
#define SMMU_KUNIT_SIZES                                                     \
	(FIELD_PREP(ARM_SMMU_ID2_IAS, 5) | FIELD_PREP(ARM_SMMU_ID2_OAS, 5) | \
	 FIELD_PREP(ARM_SMMU_ID2_UBS, 5))
#define SMMU_KUNIT_PAGES 4
#define SMMU_KUNIT_WINDOW (2 * SMMU_KUNIT_PAGES * SZ_4K)
#define SMMU_KUNIT_BANKS 4
/* These have names of mixed case in arm-smmu.h */
#define SMMU_KUNIT_TLBGSYNC 0x70
#define SMMU_KUNIT_TLBGSTATUS 0x74

/* An SMMU, as its designers see it */
struct smmu_kunit_design {
	enum arm_smmu_arch_version version;
	enum arm_smmu_implementation model;
	/* Bits of ID0 to be cleared and set */
	u32 without;
	u32 with;
	bool coherent;
	/* Context banks that can only do stage 2 */
	unsigned int s2_banks;
	/* An Adreno SMMU instead of a model */
	bool adreno;
};

static const struct smmu_kunit_design smmu_kunit_v2 = {
	.version = ARM_SMMU_V2,
};

static const struct smmu_kunit_design smmu_kunit_s1_only = {
	.version = ARM_SMMU_V2,
	.without = ARM_SMMU_ID0_S2TS,
};

static const struct smmu_kunit_design smmu_kunit_s2_only = {
	.version = ARM_SMMU_V2,
	.without = ARM_SMMU_ID0_S1TS,
};

static const struct smmu_kunit_design smmu_kunit_v1 = {
	.version = ARM_SMMU_V1,
	.without = ARM_SMMU_ID0_S1TS,
};

struct smmu_kunit_smmu {
	struct arm_smmu_device *smmu;
	void *regs;
	struct clk_hw hw;
	struct clk_bulk_data clk;
	/* Whether the clock is on, and what enabling it returns */
	bool clk_on;
	int clk_err;
	/* Registers accessed without it, and page tables freed that were in use */
	unsigned int unpowered;
	unsigned int freed_in_use;
	/* Context banks that the TLB may have something of, as far as it was told */
	unsigned long tlb;
	unsigned long tlb_told;
	struct dev_pm_domain pm_domain;
	/* DMA mappings that have not been undone, and whether one can be made */
	unsigned int dma_live;
	bool dma_fails;
	int irq;
	/* Context banks that a fault has taken */
	unsigned long hogged;
	/* Something is wrong with it */
	unsigned int armed;
	struct device_node node;
	struct property compatible;
	bool registered;
};

struct smmu_kunit_config;

struct smmu_kunit {
	/* The other one, if any, is the second */
	struct smmu_kunit_smmu *smmu[2];
	unsigned int num_smmus;
	struct device *master[8];
	unsigned int num_masters;
	/* What domains are like; NULL where a test says it itself */
	const struct smmu_kunit_config *config;
	unsigned long pgsize_bitmap;
	/* It is the test that looks at registers */
	bool peek;
};

static struct smmu_kunit_smmu *smmu_kunit_of(struct device *dev)
{
	return *(struct smmu_kunit_smmu **)dev_get_platdata(dev);
}

/* The window that an address is in, and the offset in there */
static struct smmu_kunit_smmu *smmu_kunit_window(struct smmu_kunit *ctx,
						 unsigned long addr,
						 unsigned long *offset)
{
	unsigned int i;

	for (i = 0; i < ctx->num_smmus; i++) {
		*offset = addr - (unsigned long)ctx->smmu[i]->regs;
		if (*offset < SMMU_KUNIT_WINDOW)
			return ctx->smmu[i];
	}
	return NULL;
}

static void smmu_kunit_mmio_read(void *data, unsigned long caller,
				 unsigned long caller0, u8 width,
				 const __volatile__ void __iomem *addr)
{
	struct smmu_kunit *ctx = data;
	struct smmu_kunit_smmu *ks;
	unsigned long offset;

	ks = smmu_kunit_window(ctx, (unsigned long)addr, &offset);
	if (ks && !ks->clk_on && !ctx->peek)
		ks->unpowered++;
}

/* The banks with this VMID are told */
static void smmu_kunit_tlbivmid(struct smmu_kunit_smmu *ks, u32 vmid)
{
	unsigned int i;
	u32 cbar;

	for (i = 0; i < SMMU_KUNIT_BANKS; i++) {
		cbar = *(u32 *)(ks->regs + SZ_4K + ARM_SMMU_GR1_CBAR(i));
		if (FIELD_GET(ARM_SMMU_CBAR_TYPE, cbar) == CBAR_TYPE_S2_TRANS &&
		    FIELD_GET(ARM_SMMU_CBAR_VMID, cbar) == vmid)
			__set_bit(i, &ks->tlb_told);
	}
}

static void smmu_kunit_mmio_write(void *data, unsigned long caller,
				  unsigned long caller0, u64 val, u8 width,
				  __volatile__ void __iomem *addr)
{
	struct smmu_kunit *ctx = data;
	struct smmu_kunit_smmu *ks;
	unsigned long offset, bank;

	ks = smmu_kunit_window(ctx, (unsigned long)addr, &offset);
	if (!ks || ctx->peek)
		return;

	ks->unpowered += !ks->clk_on;
	if (offset < SMMU_KUNIT_WINDOW / 2) {
		if (offset == ARM_SMMU_GR0_TLBIVMID)
			smmu_kunit_tlbivmid(ks, val);
		else if (offset == SMMU_KUNIT_TLBGSYNC)
			ks->tlb &= ~ks->tlb_told;
		return;
	}

	bank = offset / SZ_4K - SMMU_KUNIT_PAGES;
	switch (offset % SZ_4K) {
	case ARM_SMMU_CB_SCTLR:
		/* Nothing of before can be meant for what is to come */
		if (!(val & ARM_SMMU_SCTLR_M))
			break;
		__set_bit(bank, &ks->tlb);
		__clear_bit(bank, &ks->tlb_told);
		break;
	case ARM_SMMU_CB_S1_TLBIASID:
		__set_bit(bank, &ks->tlb_told);
		break;
	case ARM_SMMU_CB_TLBSYNC:
		if (test_bit(bank, &ks->tlb_told))
			__clear_bit(bank, &ks->tlb);
		break;
	}
}

/* Page tables must not be freed while somebody may walk them */
static void smmu_kunit_freed(struct smmu_kunit_smmu *ks, dma_addr_t handle)
{
	void *bank;
	unsigned int i;
	u64 ttbr;

	for (i = 0; i < SMMU_KUNIT_BANKS; i++) {
		bank = ks->regs + (SMMU_KUNIT_PAGES + i) * SZ_4K;
		ttbr = *(u64 *)(bank + ARM_SMMU_CB_TTBR0);
		if ((ttbr & GENMASK_ULL(47, 0)) != handle)
			continue;
		if (test_bit(i, &ks->tlb) ||
		    *(u32 *)(bank + ARM_SMMU_CB_SCTLR) & ARM_SMMU_SCTLR_M)
			ks->freed_in_use++;
	}
}

static dma_addr_t smmu_kunit_dma_map_page(struct device *dev, struct page *page,
					  unsigned long offset, size_t size,
					  enum dma_data_direction dir,
					  unsigned long attrs)
{
	struct smmu_kunit_smmu *ks = smmu_kunit_of(dev);

	if (ks->dma_fails)
		return DMA_MAPPING_ERROR;
	ks->dma_live++;
	return page_to_phys(page) + offset;
}

static void smmu_kunit_dma_unmap_page(struct device *dev, dma_addr_t handle,
				      size_t size, enum dma_data_direction dir,
				      unsigned long attrs)
{
	smmu_kunit_of(dev)->dma_live--;
	smmu_kunit_freed(smmu_kunit_of(dev), handle);
}

static const struct dma_map_ops smmu_kunit_dma_ops = {
	.map_page = smmu_kunit_dma_map_page,
	.unmap_page = smmu_kunit_dma_unmap_page,
};

static int smmu_kunit_clk_enable(struct clk_hw *hw)
{
	struct smmu_kunit_smmu *ks =
		container_of(hw, struct smmu_kunit_smmu, hw);

	ks->clk_on = !ks->clk_err;
	return ks->clk_err;
}

static void smmu_kunit_clk_disable(struct clk_hw *hw)
{
	container_of(hw, struct smmu_kunit_smmu, hw)->clk_on = false;
}

static const struct clk_ops smmu_kunit_clk_ops = {
	.enable = smmu_kunit_clk_enable,
	.disable = smmu_kunit_clk_disable,
};

static void smmu_kunit_add_clk(struct kunit *test, struct smmu_kunit_smmu *ks)
{
	struct clk_init_data init = {
		.name = dev_name(ks->smmu->dev),
		.ops = &smmu_kunit_clk_ops,
	};

	ks->hw.init = &init;
	KUNIT_ASSERT_EQ(test, clk_hw_register(NULL, &ks->hw), 0);
	ks->clk.id = "smmu-kunit";
	ks->clk.clk = clk_hw_get_clk(&ks->hw, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ks->clk.clk);
	ks->smmu->clks = &ks->clk;
	ks->smmu->num_clks = 1;
	KUNIT_ASSERT_EQ(test, clk_bulk_prepare_enable(1, &ks->clk), 0);
}

static void smmu_kunit_add_irqs(struct kunit *test, struct smmu_kunit_smmu *ks)
{
	struct arm_smmu_device *smmu = ks->smmu;
	int i;

	/* Context banks of an SMMUv1 share interrupts */
	smmu->num_context_irqs = smmu->version == ARM_SMMU_V2 ?
					 SMMU_KUNIT_BANKS :
					 SMMU_KUNIT_BANKS - 1;
	ks->irq = irq_alloc_descs(-1, 1, SMMU_KUNIT_BANKS, NUMA_NO_NODE);
	KUNIT_ASSERT_GT(test, ks->irq, 0);
	smmu->irqs = devm_kcalloc(smmu->dev, SMMU_KUNIT_BANKS,
				  sizeof(*smmu->irqs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, smmu->irqs);
	for (i = 0; i < SMMU_KUNIT_BANKS; i++) {
		irq_set_chip_and_handler(ks->irq + i, &dummy_irq_chip,
					 handle_simple_irq);
		smmu->irqs[i] = ks->irq + i;
	}
}

#ifdef CONFIG_FUNCTION_ERROR_INJECTION
static int smmu_kunit_return_true(struct kprobe *probe, struct pt_regs *regs)
{
	regs_set_return_value(regs, true);
	override_function_with_return(regs);
	return 1;
}

/* There is no secure firmware, but nothing here needs it to be called */
static int smmu_kunit_pretend_scm(struct kprobe *probe)
{
	probe->symbol_name = "qcom_scm_is_available";
	probe->pre_handler = smmu_kunit_return_true;
	return register_kprobe(probe);
}

static void smmu_kunit_unpretend_scm(struct kprobe *probe)
{
	unregister_kprobe(probe);
}
#else
static int smmu_kunit_pretend_scm(struct kprobe *probe)
{
	return -EOPNOTSUPP;
}

static void smmu_kunit_unpretend_scm(struct kprobe *probe)
{
}
#endif

static void smmu_kunit_make_adreno(struct kunit *test,
				   struct smmu_kunit_smmu *ks)
{
	static const char compatible[] = "qcom,adreno-smmu";
	struct kprobe probe = {};

	ks->compatible.name = "compatible";
	ks->compatible.value = (void *)compatible;
	ks->compatible.length = sizeof(compatible);
	of_node_init(&ks->node);
	ks->node.full_name = "smmu-kunit";
	ks->node.properties = &ks->compatible;
	ks->smmu->dev->of_node = &ks->node;

	KUNIT_ASSERT_EQ(test, smmu_kunit_pretend_scm(&probe), 0);
	ks->smmu = arm_smmu_impl_init(ks->smmu);
	smmu_kunit_unpretend_scm(&probe);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ks->smmu);
	KUNIT_ASSERT_NOT_NULL(test, ks->smmu->impl);
}

/* The steps of arm_smmu_device_probe(), on memory */
static struct smmu_kunit_smmu *
smmu_kunit_smmu(struct kunit *test, const struct smmu_kunit_design *design)
{
	struct smmu_kunit *ctx = test->priv;
	const char *name = "smmu-kunit";
	struct arm_smmu_device *smmu;
	struct platform_device *pdev;
	struct smmu_kunit_smmu *ks;
	u32 *id;

	KUNIT_ASSERT_LT(test, ctx->num_smmus, ARRAY_SIZE(ctx->smmu));
	ks = kunit_kzalloc(test, sizeof(*ks), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ks);
	ks->regs = kunit_kzalloc(test, SMMU_KUNIT_WINDOW, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ks->regs);

	pdev = platform_device_register_data(NULL, name, PLATFORM_DEVID_AUTO,
					     &ks, sizeof(ks));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev);
	smmu = devm_kzalloc(&pdev->dev, sizeof(*smmu), GFP_KERNEL);
	if (!smmu)
		platform_device_unregister(pdev);
	KUNIT_ASSERT_NOT_NULL(test, smmu);
	ks->smmu = smmu;
	smmu->dev = &pdev->dev;
	ctx->smmu[ctx->num_smmus++] = ks;
	set_dma_ops(smmu->dev, &smmu_kunit_dma_ops);

	id = ks->regs + ARM_SMMU_GR0_ID0;
	id[0] = (SMMU_KUNIT_ID0 & ~design->without) | design->with;
	id[1] = FIELD_PREP(ARM_SMMU_ID1_NUMPAGENDXB, 1) |
		FIELD_PREP(ARM_SMMU_ID1_NUMS2CB, design->s2_banks) |
		FIELD_PREP(ARM_SMMU_ID1_NUMCB, SMMU_KUNIT_BANKS);
	id[2] = SMMU_KUNIT_SIZES;
	if (design->version == ARM_SMMU_V2)
		id[2] |= ARM_SMMU_ID2_PTFS_4K;

	smmu->version = design->version;
	smmu->model = design->model;
	if (design->coherent)
		smmu->features |= ARM_SMMU_FEAT_COHERENT_WALK;
	smmu->base = (void __iomem __force *)ks->regs;
	smmu->numpage = SMMU_KUNIT_WINDOW;
	if (design->adreno) {
		smmu_kunit_make_adreno(test, ks);
	} else {
		ks->smmu = arm_smmu_impl_init(smmu);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ks->smmu);
	}
	smmu = ks->smmu;

	smmu_kunit_add_irqs(test, ks);
	smmu_kunit_add_clk(test, ks);
	KUNIT_ASSERT_EQ(test, arm_smmu_device_cfg_probe(smmu), 0);
	/* Nothing in memory translates addresses on request */
	smmu->features &= ~ARM_SMMU_FEAT_TRANS_OPS;
	smmu->iommu.ops = &arm_smmu_ops;
	platform_set_drvdata(pdev, smmu);
	arm_smmu_device_reset(smmu);
	arm_smmu_test_smr_masks(smmu);
	/* Leave what this test wrote to the last of the SMRs as a reset would */
	arm_smmu_device_reset(smmu);

	ks->pm_domain.ops = arm_smmu_pm_ops;
	dev_pm_domain_set(smmu->dev, &ks->pm_domain);
	pm_runtime_set_active(smmu->dev);
	pm_runtime_enable(smmu->dev);
	ks->registered = true;
	return ks;
}

static void smmu_kunit_remove_smmu(struct smmu_kunit_smmu *ks)
{
	struct device *dev = ks->smmu->dev;

	if (ks->registered) {
		arm_smmu_device_shutdown(to_platform_device(dev));
		pm_runtime_dont_use_autosuspend(dev);
		pm_runtime_disable(dev);
		dev_pm_domain_set(dev, NULL);
	}
	if (!IS_ERR_OR_NULL(ks->clk.clk)) {
		clk_put(ks->clk.clk);
		clk_hw_unregister(&ks->hw);
	}
	dev->of_node = NULL;
	platform_device_unregister(to_platform_device(dev));
	if (ks->irq > 0)
		irq_free_descs(ks->irq, SMMU_KUNIT_BANKS);
}

/* Runtime PM refuses to do anything after a failure until it is told so */
static void smmu_kunit_repair(struct kunit *test, struct smmu_kunit_smmu *ks)
{
	ks->clk_err = 0;
	pm_runtime_disable(ks->smmu->dev);
	pm_runtime_set_suspended(ks->smmu->dev);
	pm_runtime_enable(ks->smmu->dev);
}

static void smmu_kunit_suspend(struct kunit *test, struct smmu_kunit_smmu *ks)
{
	KUNIT_ASSERT_GE(test, pm_runtime_suspend(ks->smmu->dev), 0);
	KUNIT_ASSERT_TRUE(test, pm_runtime_suspended(ks->smmu->dev));
}

static struct arm_smmu_master_cfg *smmu_kunit_cfg(struct device *dev)
{
	return dev_iommu_priv_get(dev);
}

/* As arm_smmu_probe_device(), which looks the SMMU up among those that are bound */
static void smmu_kunit_probe(struct kunit *test, struct smmu_kunit_smmu *ks,
			     struct device *dev)
{
	int i, num_ids = dev_iommu_fwspec_get(dev)->num_ids;
	struct arm_smmu_master_cfg *cfg;

	cfg = kzalloc(struct_size(cfg, smendx, num_ids), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cfg);
	cfg->smmu = ks->smmu;
	for (i = 0; i < num_ids; i++)
		cfg->smendx[i] = INVALID_SMENDX;
	dev_iommu_priv_set(dev, cfg);
	KUNIT_ASSERT_EQ(test, arm_smmu_master_alloc_smes(dev), 0);
}

static struct device *smmu_kunit_add_master(struct kunit *test,
					    struct smmu_kunit_smmu *ks,
					    const u32 *ids, int num_ids)
{
	struct smmu_kunit *ctx = test->priv;
	struct device *dev;

	KUNIT_ASSERT_LT(test, ctx->num_masters, ARRAY_SIZE(ctx->master));
	dev = iommu_kunit_device(test, &ks->smmu->iommu, ids, num_ids);
	smmu_kunit_probe(test, ks, dev);
	ctx->master[ctx->num_masters++] = dev;
	return dev;
}

/* A master with two streams, one of which stands for four IDs */
static struct device *smmu_kunit_master(struct kunit *test,
					struct smmu_kunit_smmu *ks)
{
	struct smmu_kunit *ctx = test->priv;
	u32 ids[] = {
		FIELD_PREP(ARM_SMMU_SMR_ID, 1 + ctx->num_masters),
		FIELD_PREP(ARM_SMMU_SMR_ID, 0x40 + 4 * ctx->num_masters) |
			FIELD_PREP(ARM_SMMU_SMR_MASK, 3),
	};

	return smmu_kunit_add_master(test, ks, ids, ARRAY_SIZE(ids));
}

static struct iommu_domain *smmu_kunit_domain(struct kunit *test,
					      unsigned int type)
{
	return iommu_kunit_contract_keep(test,
					 iommu_kunit_domain_alloc(test,
								  &arm_smmu_ops,
								  type));
}

static struct iommu_domain *smmu_kunit_paging_domain(struct kunit *test)
{
	return smmu_kunit_domain(test, IOMMU_DOMAIN_UNMANAGED);
}

static struct iommu_domain *smmu_kunit_nesting_domain(struct kunit *test)
{
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);

	KUNIT_ASSERT_EQ(test, domain->ops->enable_nesting(domain), 0);
	return domain;
}

static struct iommu_domain *smmu_kunit_identity_domain(struct kunit *test)
{
	return smmu_kunit_domain(test, IOMMU_DOMAIN_IDENTITY);
}

/* All of what is leaked is there until the end of the test */
static void smmu_kunit_free_domain(struct kunit *test,
				   struct iommu_domain *domain, bool leaked)
{
	struct arm_smmu_domain *smmu_domain = to_smmu_domain(domain);
	struct arm_smmu_device *smmu = smmu_domain->smmu;
	unsigned int live;

	if (!leaked) {
		domain->ops->free(domain);
		return;
	}
	live = smmu_kunit_of(smmu->dev)->dma_live;
	domain->ops->free(domain);
	KUNIT_EXPECT_TRUE(test, test_bit(smmu_domain->cfg.cbndx,
					 smmu->context_map));
	KUNIT_EXPECT_TRUE(test,
			  irq_has_action(smmu->irqs[smmu_domain->cfg.irptndx]));
	KUNIT_EXPECT_EQ(test, smmu_kunit_of(smmu->dev)->dma_live, live);
	iommu_kunit_contract_keep(test, domain);
}

static void smmu_kunit_watch_smmu(struct iommu_kunit_snapshot *snap,
				  struct smmu_kunit_smmu *ks)
{
	struct arm_smmu_device *smmu = ks->smmu;
	const size_t n = smmu->num_mapping_groups;

	iommu_kunit_snapshot_add(snap, "SMMU", smmu, sizeof(*smmu));
	iommu_kunit_snapshot_skip(snap, &smmu->stream_map_mutex);
	iommu_kunit_snapshot_skip(snap, &smmu->global_sync_lock);
	iommu_kunit_snapshot_add(snap, "context banks", smmu->cbs,
				 SMMU_KUNIT_BANKS * sizeof(*smmu->cbs));
	iommu_kunit_snapshot_add(snap, "S2CRs", smmu->s2crs,
				 n * sizeof(*smmu->s2crs));
	iommu_kunit_snapshot_add(snap, "registers", ks->regs,
				 SMMU_KUNIT_WINDOW);
	iommu_kunit_snapshot_add(snap, "DMA mappings", &ks->dma_live,
				 sizeof(ks->dma_live));
#ifdef CONFIG_PM
	iommu_kunit_snapshot_add(snap, "runtime PM references",
				 &smmu->dev->power.usage_count,
				 sizeof(smmu->dev->power.usage_count));
#endif
}

static void smmu_kunit_watch(struct kunit *test,
			     struct iommu_kunit_snapshot *snap)
{
	struct smmu_kunit *ctx = test->priv;
	unsigned int i;

	for (i = 0; i < ctx->num_smmus; i++)
		smmu_kunit_watch_smmu(snap, ctx->smmu[i]);
}

static void smmu_kunit_watch_domain(struct iommu_kunit_snapshot *snap,
				    struct iommu_domain *domain)
{
	struct arm_smmu_domain *smmu_domain = to_smmu_domain(domain);

	iommu_kunit_snapshot_add(snap, "domain", smmu_domain,
				 sizeof(*smmu_domain));
	iommu_kunit_snapshot_skip(snap, &smmu_domain->init_mutex);
	iommu_kunit_snapshot_skip(snap, &smmu_domain->cb_lock);
}

/* What a stream gets at */
static enum arm_smmu_s2cr_type smmu_kunit_s2cr(struct kunit *test,
					       struct device *dev, int i,
					       u8 *bank)
{
	struct arm_smmu_master_cfg *cfg = smmu_kunit_cfg(dev);
	struct smmu_kunit *ctx = test->priv;
	u32 reg;

	ctx->peek = true;
	reg = arm_smmu_gr0_read(cfg->smmu, ARM_SMMU_GR0_S2CR(cfg->smendx[i]));
	ctx->peek = false;
	*bank = FIELD_GET(ARM_SMMU_S2CR_CBNDX, reg);
	return FIELD_GET(ARM_SMMU_S2CR_TYPE, reg);
}

/* The hardware's view of a context bank: does it translate for the domain? */
static void smmu_kunit_check_bank(struct kunit *test,
				  struct arm_smmu_domain *smmu_domain, int line)
{
	struct arm_smmu_device *smmu = smmu_domain->smmu;
	struct io_pgtable *iop =
		io_pgtable_ops_to_pgtable(smmu_domain->pgtbl_ops);
	struct arm_smmu_cfg *cfg = &smmu_domain->cfg;
	bool ttbr1 = iop->cfg.quirks & IO_PGTABLE_QUIRK_ARM_TTBR1;
	bool taken = test_bit(cfg->cbndx, smmu->context_map);
	struct smmu_kunit *ctx = test->priv;
	u32 cbar, sctlr;
	u64 ttbr;

	ctx->peek = true;
	cbar = arm_smmu_gr1_read(smmu, ARM_SMMU_GR1_CBAR(cfg->cbndx));
	sctlr = arm_smmu_cb_read(smmu, cfg->cbndx, ARM_SMMU_CB_SCTLR);
	ttbr = arm_smmu_cb_readq(smmu, cfg->cbndx,
				 ttbr1 ? ARM_SMMU_CB_TTBR1 : ARM_SMMU_CB_TTBR0);
	ctx->peek = false;

	KUNIT_EXPECT_TRUE_MSG(test, taken, "line %d", line);
	KUNIT_EXPECT_PTR_EQ_MSG(test, smmu->cbs[cfg->cbndx].cfg, cfg, "line %d",
				line);
	KUNIT_EXPECT_TRUE_MSG(test, sctlr & ARM_SMMU_SCTLR_M, "line %d", line);
	KUNIT_EXPECT_EQ_MSG(test, FIELD_GET(ARM_SMMU_CBAR_TYPE, cbar),
			    cfg->cbar, "line %d", line);
	if (smmu_domain->stage == ARM_SMMU_DOMAIN_S1) {
		KUNIT_EXPECT_EQ_MSG(test, ttbr & GENMASK_ULL(47, 0),
				    iop->cfg.arm_lpae_s1_cfg.ttbr, "line %d",
				    line);
		KUNIT_EXPECT_EQ_MSG(test, ttbr >> 48, cfg->asid, "line %d",
				    line);
	} else {
		KUNIT_EXPECT_EQ_MSG(test, ttbr, iop->cfg.arm_lpae_s2_cfg.vttbr,
				    "line %d", line);
		KUNIT_EXPECT_EQ_MSG(test, FIELD_GET(ARM_SMMU_CBAR_VMID, cbar),
				    cfg->vmid, "line %d", line);
	}
}

struct smmu_kunit_config {
	struct smmu_kunit_design design;
	unsigned int type;
	bool nesting;
	enum arm_smmu_domain_stage stage;
};

/* The hardware's view of a master: is it on this domain? */
static void smmu_kunit_expect_on(struct kunit *test, struct device *dev,
				 struct iommu_domain *domain, int line)
{
	struct arm_smmu_domain *smmu_domain =
		domain ? to_smmu_domain(domain) : NULL;
	bool bypass = domain && domain->type == IOMMU_DOMAIN_IDENTITY;
	struct arm_smmu_device *smmu = smmu_kunit_cfg(dev)->smmu;
	enum arm_smmu_s2cr_type type, expected;
	struct smmu_kunit *ctx = test->priv;
	bool has_irq;
	u8 bank;
	int i;

	/* The driver does not say where it believes a device to be */
	if (smmu_kunit_of(smmu->dev)->armed)
		return;
	expected = !domain ? s2cr_init_val.type :
		   bypass ? S2CR_TYPE_BYPASS :
			    S2CR_TYPE_TRANS;
	for (i = 0; i < dev_iommu_fwspec_get(dev)->num_ids; i++) {
		type = smmu_kunit_s2cr(test, dev, i, &bank);
		KUNIT_EXPECT_EQ_MSG(test, type, expected, "line %d: stream %d",
				    line, i);
		if (domain && !bypass)
			KUNIT_EXPECT_EQ_MSG(test, bank, smmu_domain->cfg.cbndx,
					    "line %d: stream %d", line, i);
	}
	if (!domain)
		return;
	KUNIT_EXPECT_PTR_EQ_MSG(test, smmu_domain->smmu, smmu, "line %d", line);
	if (!bypass)
		smmu_kunit_check_bank(test, smmu_domain, line);
	if (!ctx->config)
		return;
	KUNIT_EXPECT_EQ_MSG(test, smmu_domain->stage, ctx->config->stage,
			    "line %d", line);
	if (bypass)
		return;
	KUNIT_EXPECT_EQ_MSG(test, domain->pgsize_bitmap, SZ_4K | SZ_2M | SZ_1G,
			    "line %d", line);
	KUNIT_EXPECT_TRUE_MSG(test, domain->geometry.force_aperture, "line %d",
			      line);
	KUNIT_EXPECT_NE_MSG(test, domain->geometry.aperture_end, 0, "line %d",
			    line);
	has_irq = irq_has_action(smmu->irqs[smmu_domain->cfg.irptndx]);
	KUNIT_EXPECT_TRUE_MSG(test, has_irq, "line %d", line);
}

enum { NO_FAULT, NO_MEMORY, NO_BANK, NO_GRANULE, NO_POWER, TLB_STUCK };

static void smmu_kunit_set_fault(struct kunit *test, struct smmu_kunit_smmu *ks,
				 unsigned int fault)
{
	const unsigned long banks = GENMASK(SMMU_KUNIT_BANKS - 1, 0);
	unsigned long *map = ks->smmu->context_map;
	void *bank;
	int i;

	ks->dma_fails = fault == NO_MEMORY;
	*map &= ~ks->hogged;
	ks->hogged = fault == NO_BANK ? ~*map & banks : 0;
	*map |= ks->hogged;
	if (fault == NO_GRANULE || ks->armed == NO_GRANULE)
		ks->smmu->pgsize_bitmap = fault == NO_GRANULE ?
						  SZ_2M :
						  SZ_4K | SZ_2M | SZ_1G;
	if (fault == NO_POWER) {
		smmu_kunit_suspend(test, ks);
		ks->clk_err = -EIO;
	} else if (ks->armed == NO_POWER) {
		smmu_kunit_repair(test, ks);
		KUNIT_ASSERT_EQ(test, pm_runtime_resume(ks->smmu->dev), 0);
	}
	*(u32 *)(ks->regs + SMMU_KUNIT_TLBGSTATUS) = fault == TLB_STUCK;
	for (i = 0; i < SMMU_KUNIT_BANKS; i++) {
		bank = ks->regs + (SMMU_KUNIT_PAGES + i) * SZ_4K;
		*(u32 *)(bank + ARM_SMMU_CB_TLBSTATUS) = fault == TLB_STUCK;
	}
	ks->armed = fault;
}

static void smmu_kunit_unwatch(struct smmu_kunit *ctx)
{
	unregister_trace_rwmmio_read(smmu_kunit_mmio_read, ctx);
	unregister_trace_rwmmio_write(smmu_kunit_mmio_write, ctx);
	tracepoint_synchronize_unregister();
}

static int smmu_kunit_init(struct kunit *test)
{
	struct smmu_kunit *ctx;
	int ret;

	ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return -ENOMEM;
	ret = register_trace_rwmmio_read(smmu_kunit_mmio_read, ctx);
	if (ret)
		return ret;
	ret = register_trace_rwmmio_write(smmu_kunit_mmio_write, ctx);
	if (ret) {
		smmu_kunit_unwatch(ctx);
		return ret;
	}
	/* To which each SMMU adds what it supports */
	ctx->pgsize_bitmap = arm_smmu_ops.pgsize_bitmap;
	test->priv = ctx;
	return 0;
}

static void smmu_kunit_exit(struct kunit *test)
{
	struct smmu_kunit *ctx = test->priv;
	unsigned int i;

	/* Also called after a failed init */
	if (!ctx)
		return;

	for (i = 0; i < ctx->num_smmus; i++)
		smmu_kunit_set_fault(test, ctx->smmu[i], NO_FAULT);
	for (i = 0; i < ctx->num_masters; i++) {
		arm_smmu_release_device(ctx->master[i]);
		/* Such a driver could not be unbound */
		ctx->master[i]->driver = NULL;
	}
	iommu_kunit_contract_exit(test);
	for (i = 0; i < ctx->num_smmus; i++) {
		smmu_kunit_remove_smmu(ctx->smmu[i]);
		KUNIT_EXPECT_EQ_MSG(test, ctx->smmu[i]->dma_live, 0,
				    "page tables of SMMU %u leaked", i);
		KUNIT_EXPECT_EQ_MSG(test, ctx->smmu[i]->freed_in_use, 0,
				    "page tables of SMMU %u freed in use", i);
		KUNIT_EXPECT_EQ_MSG(test, ctx->smmu[i]->unpowered, 0,
				    "registers of SMMU %u without power", i);
	}
	smmu_kunit_unwatch(ctx);
	arm_smmu_ops.pgsize_bitmap = ctx->pgsize_bitmap;
}

/* Each configuration that a new domain can get */
enum {
	S1_OF_BOTH,
	S1_DMA,
	S1_NOT_NESTING,
	S2_ONLY,
	NESTING,
	IDENTITY,
	V1_S2,
	V1_S1,
	MMU_500,
	CAVIUM,
	STREAM_INDEXING,
	NUM_CONFIGS
};

static const char *const smmu_kunit_config_names[NUM_CONFIGS] = {
	[S1_OF_BOTH] = "stage 1 of both",
	[S1_DMA] = "stage 1, DMA API, coherent",
	[S1_NOT_NESTING] = "stage 1 only, nesting wanted",
	[S2_ONLY] = "stage 2 only",
	[NESTING] = "nesting",
	[IDENTITY] = "identity",
	[V1_S2] = "SMMUv1",
	[V1_S1] = "SMMUv1, stage 1",
	[MMU_500] = "MMU-500",
	[CAVIUM] = "Cavium, which has ASIDs of its own",
	[STREAM_INDEXING] = "stream indexing",
};

static const struct smmu_kunit_config smmu_kunit_configs[NUM_CONFIGS] = {
	[S1_OF_BOTH] = {
		.design = { .version = ARM_SMMU_V2 },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	[S1_DMA] = {
		.design = { .version = ARM_SMMU_V2, .coherent = true },
		.type = IOMMU_DOMAIN_DMA,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	[S1_NOT_NESTING] = {
		.design = { .version = ARM_SMMU_V2,
			    .without = ARM_SMMU_ID0_S2TS },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.nesting = true,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	[S2_ONLY] = {
		.design = { .version = ARM_SMMU_V2,
			    .without = ARM_SMMU_ID0_S1TS },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.stage = ARM_SMMU_DOMAIN_S2,
	},
	[NESTING] = {
		.design = { .version = ARM_SMMU_V2, .with = ARM_SMMU_ID0_NTS },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.nesting = true,
		.stage = ARM_SMMU_DOMAIN_NESTED,
	},
	[IDENTITY] = {
		.design = { .version = ARM_SMMU_V2 },
		.type = IOMMU_DOMAIN_IDENTITY,
		.stage = ARM_SMMU_DOMAIN_BYPASS,
	},
	[V1_S2] = {
		.design = { .version = ARM_SMMU_V1,
			    .without = ARM_SMMU_ID0_S1TS },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.stage = ARM_SMMU_DOMAIN_S2,
	},
	[V1_S1] = {
		.design = { .version = ARM_SMMU_V1 },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	[MMU_500] = {
		.design = { .version = ARM_SMMU_V2, .model = ARM_MMU500 },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	[CAVIUM] = {
		.design = { .version = ARM_SMMU_V2, .model = CAVIUM_SMMUV2 },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	[STREAM_INDEXING] = {
		.design = { .version = ARM_SMMU_V2,
			    .without = ARM_SMMU_ID0_SMS },
		.type = IOMMU_DOMAIN_UNMANAGED,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
};

static const struct iommu_kunit_kind smmu_kunit_kinds[] = {
	{ "a master" },
	{ "of another SMMU" },
};

static void smmu_kunit_set_mode(struct kunit *test, unsigned int mode)
{
	struct smmu_kunit *ctx = test->priv;
	unsigned int i;

	ctx->config = &smmu_kunit_configs[mode];
	for (i = 0; i < ARRAY_SIZE(ctx->smmu); i++)
		smmu_kunit_smmu(test, &ctx->config->design);
}

static struct device *smmu_kunit_device(struct kunit *test, unsigned int kind)
{
	struct smmu_kunit *ctx = test->priv;

	return smmu_kunit_master(test, ctx->smmu[kind]);
}

static struct iommu_domain *smmu_kunit_fresh_domain(struct kunit *test,
						    struct device *dev)
{
	struct smmu_kunit *ctx = test->priv;
	struct iommu_domain *domain;

	domain = iommu_kunit_domain_alloc(test, &arm_smmu_ops,
					  ctx->config->type);
	if (ctx->config->nesting)
		KUNIT_ASSERT_EQ(test, domain->ops->enable_nesting(domain), 0);
	return domain;
}

#define TRANSLATING (GENMASK(NUM_CONFIGS - 1, 0) & ~BIT(IDENTITY))
#define LEAKS (BIT(IOMMU_KUNIT_MOVED) | BIT(IOMMU_KUNIT_TAKEN_OFF))
#define SMMU_KUNIT_FAULT(_fault) .data = (void *)(_fault)

static const struct iommu_kunit_fault smmu_kunit_faults[] = {
	{ "no memory", -ENOMEM, IOMMU_KUNIT_ANYWHERE, .fresh = true,
	  .modes = TRANSLATING & ~BIT(S1_DMA), SMMU_KUNIT_FAULT(NO_MEMORY) },
	{ "no context bank", -ENOSPC, IOMMU_KUNIT_ANYWHERE, .fresh = true,
	  .modes = TRANSLATING, SMMU_KUNIT_FAULT(NO_BANK) },
	/* Nothing that io-pgtable can do */
	{ "no granule", -ENOMEM, IOMMU_KUNIT_ANYWHERE, .fresh = true,
	  .modes = TRANSLATING, SMMU_KUNIT_FAULT(NO_GRANULE) },
	/* Staying needs power, too */
	{ "no power", -EIO, IOMMU_KUNIT_ANYWHERE, .modes = TRANSLATING,
	  .leaving = true, .leaks = LEAKS, SMMU_KUNIT_FAULT(NO_POWER) },
	{ "TLB is stuck", .modes = BIT(S1_OF_BOTH) | BIT(S2_ONLY),
	  .leaving = true, .leaks = LEAKS, SMMU_KUNIT_FAULT(TLB_STUCK) },
};

static void smmu_kunit_arm(struct kunit *test, struct device *dev,
			   const struct iommu_kunit_fault *fault)
{
	const unsigned int f = fault ? (unsigned long)fault->data : NO_FAULT;

	if (f == NO_POWER && !IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "needs CONFIG_PM");
	smmu_kunit_set_fault(test, smmu_kunit_of(smmu_kunit_cfg(dev)->smmu->dev),
			     f);
}

static const struct iommu_kunit_driver iommu_kunit_driver = {
	.ops = &arm_smmu_ops,
	.modes = smmu_kunit_config_names,
	.num_modes = NUM_CONFIGS,
	.kinds = smmu_kunit_kinds,
	.num_kinds = ARRAY_SIZE(smmu_kunit_kinds),
	.faults = smmu_kunit_faults,
	.num_faults = ARRAY_SIZE(smmu_kunit_faults),
	.shape_stays = true,
	.iova = SZ_2M,
	.set_mode = smmu_kunit_set_mode,
	.device = smmu_kunit_device,
	.domain = smmu_kunit_fresh_domain,
	.watch = smmu_kunit_watch,
	.watch_domain = smmu_kunit_watch_domain,
	.expect_on = smmu_kunit_expect_on,
	.arm = smmu_kunit_arm,
	.free = smmu_kunit_free_domain,
};

/*
 * No domain would help. The device stays where it is, and the domain is like
 * new.
 */
static void smmu_kunit_not_ours_test(struct kunit *test)
{
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);
	static const struct iommu_ops other_ops = {};
	struct iommu_device other = { .ops = &other_ops };
	struct device *dev;
	u32 id = 1;

	/* The SMMU itself is a device without fwspec */
	EXPECT_FAILS(test, domain, ks->smmu->dev, -ENODEV);

	/* It would work if only its fwspec was not another driver's */
	dev = iommu_kunit_device(test, &other, &id, 1);
	dev_iommu_priv_set(dev, smmu_kunit_cfg(smmu_kunit_master(test, ks)));
	EXPECT_FAILS(test, domain, dev, -ENODEV);
	/* The device outlives the stack frame */
	dev->iommu->iommu_dev = NULL;

	/* Described to the driver, but not probed */
	dev = iommu_kunit_device(test, &ks->smmu->iommu, &id, 1);
	EXPECT_FAILS(test, domain, dev, -ENODEV);
}

/* A domain that has seen a failure is like new to this SMMU */
static void smmu_kunit_use_elsewhere(struct kunit *test,
				     struct iommu_domain *domain,
				     enum arm_smmu_domain_stage stage)
{
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct device *master = smmu_kunit_master(test, ks);

	/* Nothing to flush, and nowhere */
	domain->ops->flush_iotlb_all(domain);
	EXPECT_ATTACH(test, domain, master);
	KUNIT_EXPECT_EQ(test, to_smmu_domain(domain)->stage, stage);
	domain->ops->flush_iotlb_all(domain);
}

static void smmu_kunit_no_format_test(struct kunit *test)
{
	static const struct smmu_kunit_design design = {
		.version = ARM_SMMU_V2,
		.without = ARM_SMMU_ID0_S2TS,
		.with = SMMU_KUNIT_NO_AARCH32,
	};
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &design);
	struct device *master = smmu_kunit_master(test, ks);
	struct iommu_domain *bypass = smmu_kunit_identity_domain(test);
	struct iommu_domain *domain = smmu_kunit_nesting_domain(test);

	ks->smmu->features &= ~ARM_SMMU_FEAT_FMT_AARCH64_4K;
	EXPECT_FAILS(test, domain, master, -ENODEV);
	EXPECT_ATTACH(test, bypass, master);
	EXPECT_FAILS(test, domain, master, -ENODEV);
	smmu_kunit_use_elsewhere(test, domain, ARM_SMMU_DOMAIN_NESTED);
}

/* Context banks that only stage 2 can have */
static void smmu_kunit_s2_banks_test(struct kunit *test)
{
	static const struct smmu_kunit_design design = {
		.version = ARM_SMMU_V2,
		.s2_banks = SMMU_KUNIT_BANKS - 1,
	};
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &design);
	struct device *user = smmu_kunit_master(test, ks);
	struct device *master = smmu_kunit_master(test, ks);
	struct iommu_domain *hog = smmu_kunit_paging_domain(test);
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);
	struct iommu_domain *nesting = smmu_kunit_nesting_domain(test);

	EXPECT_ATTACH(test, hog, user);
	EXPECT_FAILS(test, domain, master, -ENOSPC);
	EXPECT_ATTACH(test, nesting, master);
	EXPECT_FAILS(test, domain, master, -ENOSPC);
	EXPECT_ATTACH(test, hog, master);
	smmu_kunit_use_elsewhere(test, domain, ARM_SMMU_DOMAIN_S1);
}

/* After a failure on one SMMU, a domain can be of another SMMU and stage */
struct smmu_kunit_stages {
	const char *name;
	const struct smmu_kunit_design *first;
	bool nesting;
	/* On an SMMU with both stages */
	enum arm_smmu_domain_stage stage;
};

static const struct smmu_kunit_stages smmu_kunit_stages[] = {
	{
		.name = "both stages",
		.first = &smmu_kunit_v2,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	{
		.name = "stage 1 only",
		.first = &smmu_kunit_s1_only,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	{
		.name = "stage 2 only",
		.first = &smmu_kunit_s2_only,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	{
		.name = "stage 2 only, SMMUv1",
		.first = &smmu_kunit_v1,
		.stage = ARM_SMMU_DOMAIN_S1,
	},
	{
		.name = "stage 1 only, nesting wanted",
		.first = &smmu_kunit_s1_only,
		.nesting = true,
		.stage = ARM_SMMU_DOMAIN_NESTED,
	},
	{
		.name = "stage 2 only, nesting wanted",
		.first = &smmu_kunit_s2_only,
		.nesting = true,
		.stage = ARM_SMMU_DOMAIN_NESTED,
	},
};

static void smmu_kunit_stages_desc(const struct smmu_kunit_stages *stages,
				   char *desc)
{
	strscpy(desc, stages->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_kunit_stages, smmu_kunit_stages, smmu_kunit_stages_desc);

/* The page tables cannot be allocated, which comes after the context bank */
static void smmu_kunit_oom_test(struct kunit *test)
{
	const struct smmu_kunit_stages *stages = test->param_value;
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, stages->first);
	struct device *master = smmu_kunit_master(test, ks);
	struct iommu_domain *old = smmu_kunit_paging_domain(test);
	struct iommu_domain *domain = stages->nesting ?
					      smmu_kunit_nesting_domain(test) :
					      smmu_kunit_paging_domain(test);

	/* From nowhere, and from another domain */
	ks->dma_fails = true;
	EXPECT_FAILS(test, domain, master, -ENOMEM);
	ks->dma_fails = false;
	EXPECT_ATTACH(test, old, master);
	ks->dma_fails = true;
	EXPECT_FAILS(test, domain, master, -ENOMEM);
	EXPECT_FAILS(test, domain, master, -ENOMEM);
	ks->dma_fails = false;

	smmu_kunit_use_elsewhere(test, domain, stages->stage);
	EXPECT_REFUSED(test, domain, master);
}

/* A hook that fails after it has changed what hooks may change */
static int smmu_kunit_bad_init_context(struct arm_smmu_domain *smmu_domain,
				       struct io_pgtable_cfg *cfg,
				       struct device *dev)
{
	smmu_domain->cfg.flush_walk_prefer_tlbiasid = true;
	smmu_domain->cfg.asid += 42;
	return -EIO;
}

static void smmu_kunit_unexpected_commit(struct arm_smmu_domain *smmu_domain,
					 struct device *dev)
{
	smmu_domain->smmu->impl = NULL;
}

static void smmu_kunit_init_context_test(struct kunit *test)
{
	static const struct arm_smmu_impl impl = {
		.init_context = smmu_kunit_bad_init_context,
		.commit_context = smmu_kunit_unexpected_commit,
	};
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct device *master = smmu_kunit_master(test, ks);
	struct iommu_domain *old = smmu_kunit_nesting_domain(test);
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);
	struct arm_smmu_cfg *cfg = &to_smmu_domain(domain)->cfg;

	EXPECT_ATTACH(test, old, master);
	ks->smmu->impl = &impl;
	EXPECT_FAILS(test, domain, master, -EIO);
	/* Only the first attach has anything to initialise */
	EXPECT_ATTACH(test, old, master);
	ks->smmu->impl = NULL;
	EXPECT_ATTACH(test, domain, master);
	KUNIT_EXPECT_EQ(test, cfg->asid, cfg->cbndx);
	KUNIT_EXPECT_FALSE(test, cfg->flush_walk_prefer_tlbiasid);
}

/*
 * Without a context interrupt faults are not reported, but the device
 * translates through the domain.
 */
static void smmu_kunit_irq_test(struct kunit *test)
{
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct device *master = smmu_kunit_master(test, ks);
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);

	/* Nothing that request_irq() would take */
	ks->smmu->irqs[0] = INT_MAX;
	EXPECT_ATTACH(test, domain, master);
	KUNIT_EXPECT_EQ(test, to_smmu_domain(domain)->cfg.irptndx,
			ARM_SMMU_INVALID_IRPTNDX);
	EXPECT_ATTACH(test, domain, master);
	/* Silently, that is without trying to free an interrupt */
	iommu_kunit_contract_free(test, domain, false);
}

struct smmu_kunit_fault {
	struct iommu_domain *domain;
	unsigned long iova;
};

static int smmu_kunit_on_fault(struct iommu_domain *domain, struct device *dev,
			       unsigned long iova, int flags, void *token)
{
	struct smmu_kunit_fault *fault = token;

	fault->domain = domain;
	fault->iova = iova;
	return 0;
}

/* A context bank raises its interrupt: whose is it, and does anybody care? */
static void smmu_kunit_fault_test(struct kunit *test)
{
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct device *master = smmu_kunit_master(test, ks);
	struct iommu_domain *other = smmu_kunit_paging_domain(test);
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);
	struct smmu_kunit_fault fault = {};
	void *bank = ks->regs + (SMMU_KUNIT_PAGES + 1) * SZ_4K;
	struct iommu_kunit_log mark;
	unsigned int lines, i;
	char logged[128];
	int ret;

	EXPECT_ATTACH(test, other, master);
	EXPECT_ATTACH(test, domain, master);
	KUNIT_ASSERT_GE(test, arm_smmu_rpm_get(ks->smmu), 0);

	/* The first time there is nobody else to complain */
	for (i = 0; i < 2; i++) {
		*(u32 *)(bank + ARM_SMMU_CB_FSR) = ARM_SMMU_FSR_TF;
		*(u64 *)(bank + ARM_SMMU_CB_FAR) = 0x1000 + i;
		fault.domain = NULL;
		iommu_kunit_log_mark(test, &mark);
		local_irq_disable();
		ret = generic_handle_irq(ks->irq + 1);
		local_irq_enable();
		lines = iommu_kunit_log_lines(&mark, logged, sizeof(logged));
		KUNIT_EXPECT_EQ(test, ret, 0);
		KUNIT_EXPECT_EQ(test, lines, !i);
		KUNIT_EXPECT_PTR_EQ(test, fault.domain, i ? domain : NULL);
		iommu_set_fault_handler(domain, smmu_kunit_on_fault, &fault);
	}
	KUNIT_EXPECT_EQ(test, fault.iova, 0x1001);

	/* What is not a fault is none of its business */
	*(u32 *)(bank + ARM_SMMU_CB_FSR) = 0;
	fault.domain = NULL;
	KUNIT_EXPECT_EQ(test, arm_smmu_context_fault(0, domain), IRQ_NONE);
	KUNIT_EXPECT_NULL(test, fault.domain);
	arm_smmu_rpm_put(ks->smmu);
}

/* Runtime PM does not even try after a failure, whatever the domain is */
static void smmu_kunit_expect_dead(struct kunit *test,
				   struct iommu_domain *domain,
				   struct device *master)
{
	struct iommu_kunit_log mark;
	char logged[128];

	iommu_kunit_log_mark(test, &mark);
	EXPECT_FAILS(test, domain, master, -ENODEV);
	KUNIT_EXPECT_EQ(test, 1,
			iommu_kunit_log_lines(&mark, logged, sizeof(logged)));
}

/* The SMMU cannot be resumed */
static void smmu_kunit_pm_test(struct kunit *test)
{
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct device *master = smmu_kunit_master(test, ks);
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);
	struct iommu_domain *old = smmu_kunit_paging_domain(test);

	if (!IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "needs CONFIG_PM");

	smmu_kunit_suspend(test, ks);
	ks->clk_err = -EIO;
	EXPECT_FAILS(test, domain, master, -EIO);
	smmu_kunit_expect_dead(test, domain, master);
	smmu_kunit_repair(test, ks);
	EXPECT_ATTACH(test, old, master);

	smmu_kunit_suspend(test, ks);
	ks->clk_err = -ETIMEDOUT;
	EXPECT_FAILS(test, domain, master, -ETIMEDOUT);
	smmu_kunit_expect_dead(test, domain, master);
	smmu_kunit_expect_dead(test, old, master);
	smmu_kunit_repair(test, ks);
	EXPECT_ATTACH(test, old, master);
	EXPECT_ATTACH(test, domain, master);
}

/* What a refusal or a failure leaves behind is also what a resume programs */
static void smmu_kunit_resume_test(struct kunit *test)
{
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct smmu_kunit_smmu *other = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct device *master = smmu_kunit_master(test, ks);
	struct device *user = smmu_kunit_master(test, other);
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);
	struct iommu_domain *foreign = smmu_kunit_paging_domain(test);
	struct iommu_domain *failing = smmu_kunit_paging_domain(test);
	struct iommu_kunit_snapshot *snap;
	const size_t size = SMMU_KUNIT_WINDOW / 2;

	if (!IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "needs CONFIG_PM");

	EXPECT_ATTACH(test, domain, master);
	EXPECT_ATTACH(test, foreign, user);
	snap = iommu_kunit_contract_snapshot(test);
	iommu_kunit_snapshot_take(snap);

	EXPECT_REFUSED(test, foreign, master);
	ks->dma_fails = true;
	EXPECT_FAILS(test, failing, master, -ENOMEM);
	ks->dma_fails = false;

	/* Everything in the context banks is lost */
	smmu_kunit_suspend(test, ks);
	memset(ks->regs + size, 0, size);
	KUNIT_ASSERT_EQ(test, pm_runtime_resume(ks->smmu->dev), 0);
	iommu_kunit_snapshot_check(snap, __LINE__);
	EXPECT_ATTACH(test, domain, master);
}

/* A device is removed without power, and comes back when there is some */
static void smmu_kunit_release_test(struct kunit *test)
{
	struct smmu_kunit_smmu *ks = smmu_kunit_smmu(test, &smmu_kunit_v2);
	struct iommu_domain *domain = smmu_kunit_paging_domain(test);
	struct device *dev = smmu_kunit_master(test, ks);
	struct arm_smmu_s2cr *s2cr;

	if (!IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "needs CONFIG_PM");

	EXPECT_ATTACH(test, domain, dev);
	smmu_kunit_set_fault(test, ks, NO_POWER);
	s2cr = &ks->smmu->s2crs[smmu_kunit_cfg(dev)->smendx[0]];
	s2cr->group = test->priv;
	arm_smmu_release_device(dev);
	KUNIT_EXPECT_NULL(test, dev_iommu_priv_get(dev));
	KUNIT_EXPECT_EQ(test, s2cr->count, 0);
	KUNIT_EXPECT_NULL(test, s2cr->group);
	smmu_kunit_set_fault(test, ks, NO_FAULT);
	smmu_kunit_probe(test, ks, dev);
	EXPECT_ON(test, dev, NULL);
	EXPECT_ATTACH(test, domain, dev);
	EXPECT_ON(test, dev, domain);
}

/* What the Adreno SMMU tells the GPU driver */
static void smmu_kunit_adreno_test(struct kunit *test)
{
	static const struct smmu_kunit_design design = {
		.version = ARM_SMMU_V2,
		.model = ARM_MMU500,
		.adreno = true,
	};
	static struct device_driver driver = { .name = "adreno" };
	static struct device_driver other_driver = { .name = "vfio-platform" };
	const u32 gpu_id = 0;
	struct adreno_smmu_priv priv, old_priv;
	struct iommu_domain *bypass, *domain, *next;
	struct device *gpu, *gmu;
	struct smmu_kunit_smmu *ks;

	if (!IS_ENABLED(CONFIG_ARM_SMMU_QCOM) ||
	    !IS_ENABLED(CONFIG_FUNCTION_ERROR_INJECTION))
		kunit_skip(test,
			   "needs ARM_SMMU_QCOM, FUNCTION_ERROR_INJECTION");

	ks = smmu_kunit_smmu(test, &design);
	KUNIT_ASSERT_NOT_NULL(test, ks->smmu->impl->alloc_context_bank);
	gpu = smmu_kunit_add_master(test, ks, &gpu_id, 1);
	gmu = smmu_kunit_master(test, ks);
	bypass = smmu_kunit_identity_domain(test);
	domain = smmu_kunit_paging_domain(test);
	next = smmu_kunit_paging_domain(test);
	memset(&priv, 0, sizeof(priv));
	memset(&old_priv, 0, sizeof(old_priv));

	/* Nobody to tell of a domain, or somebody that does not expect it */
	EXPECT_ATTACH(test, bypass, gpu);
	EXPECT_FAILS(test, domain, gpu, -ENODEV);
	dev_set_drvdata(gpu, &priv);
	EXPECT_FAILS(test, domain, gpu, -ENODEV);
	gpu->driver = &other_driver;
	EXPECT_FAILS(test, domain, gpu, -ENODEV);
	gpu->driver = &driver;
	dev_set_drvdata(gpu, NULL);
	EXPECT_FAILS(test, domain, gpu, -ENODEV);
	dev_set_drvdata(gpu, &priv);

	/* No domain, so none to tell of */
	ks->dma_fails = true;
	EXPECT_FAILS(test, domain, gpu, -ENOMEM);
	ks->dma_fails = false;
	KUNIT_EXPECT_EQ(test, memcmp(&priv, &old_priv, sizeof(priv)), 0);

	EXPECT_ATTACH(test, domain, gpu);
	KUNIT_EXPECT_EQ(test, to_smmu_domain(domain)->cfg.cbndx, 0);
	KUNIT_EXPECT_PTR_EQ(test, priv.cookie,
			    (const void *)to_smmu_domain(domain));
	KUNIT_EXPECT_NOT_NULL(test, (void *)priv.get_ttbr1_cfg);
	/* The upper half of the address space */
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, ~0UL);

	/* There is only one context bank that a GPU can have */
	old_priv = priv;
	EXPECT_FAILS(test, next, gpu, -ENOSPC);
	KUNIT_EXPECT_EQ(test, memcmp(&priv, &old_priv, sizeof(priv)), 0);
	/* Others do not use it, and are of no interest to the GPU driver */
	EXPECT_ATTACH(test, next, gmu);
	KUNIT_EXPECT_EQ(test, to_smmu_domain(next)->cfg.cbndx, 1);
	KUNIT_EXPECT_EQ(test, memcmp(&priv, &old_priv, sizeof(priv)), 0);
	KUNIT_EXPECT_EQ(test, next->geometry.aperture_start, 0);
}

static struct kunit_case smmu_kunit_cases[] = {
	IOMMU_KUNIT_CONTRACT(attach),
	IOMMU_KUNIT_CONTRACT(refused),
	IOMMU_KUNIT_CONTRACT(fault),
	IOMMU_KUNIT_CONTRACT(leave),
	IOMMU_KUNIT_CONTRACT(join),
	KUNIT_CASE(smmu_kunit_not_ours_test),
	KUNIT_CASE(smmu_kunit_no_format_test),
	KUNIT_CASE(smmu_kunit_s2_banks_test),
	KUNIT_CASE_PARAM(smmu_kunit_oom_test, smmu_kunit_stages_gen_params),
	KUNIT_CASE(smmu_kunit_init_context_test),
	KUNIT_CASE(smmu_kunit_irq_test),
	KUNIT_CASE(smmu_kunit_fault_test),
	KUNIT_CASE(smmu_kunit_pm_test),
	KUNIT_CASE(smmu_kunit_resume_test),
	KUNIT_CASE(smmu_kunit_release_test),
	KUNIT_CASE(smmu_kunit_adreno_test),
	{}
};

static struct kunit_suite smmu_kunit_suite = {
	.name = "arm-smmu",
	.init = smmu_kunit_init,
	.exit = smmu_kunit_exit,
	.test_cases = smmu_kunit_cases,
};

kunit_test_suite(smmu_kunit_suite);
