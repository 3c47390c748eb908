// SPDX-License-Identifier: GPL-2.0-only
/*
 * One container, and groups behind several IOMMU instances that come and go.
 * After every change each device proves by DMA what it reaches.
 */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* below edu's 28 bit mask, clear of the MSI window at 0x8000000 */
#define FIRST_IOVA	0x1000000
#define IOVA_STEP	0x1000000

/* Where in a range devices read, and where they write, one after the other */
#define SOURCE		0
#define DESTINATION	0x8000

static int container;
static struct group *attached[MAX_GROUPS];
static int num_attached;
static struct edu *edus[MAX_GROUPS * MAX_EDUS];	/* of the attached groups */
static int num_edus;
static struct range ranges[MAX_GROUPS];
static int num_ranges;
static int step;

static void fill(uint8_t *memory)
{
	int i;

	for (i = 0; i < DMA_BYTES; i++)
		memory[i] = rand();
}

static void all_read(uint64_t iova)
{
	int i;

	for (i = 0; i < num_edus; i++)
		edu_read_memory(edus[i], iova);
	for (i = 0; i < num_edus; i++)
		edu_wait(edus[i]);
}

/* Every device to a place of its own */
static void all_write(uint64_t iova)
{
	int i;

	for (i = 0; i < num_edus; i++)
		edu_write_memory(edus[i], iova + i * DMA_BYTES);
	for (i = 0; i < num_edus; i++)
		edu_wait(edus[i]);
}

/* How many devices have written what @expected holds */
static int count_written(const uint8_t *to, const uint8_t *expected)
{
	int i, n = 0;

	for (i = 0; i < num_edus; i++)
		n += !memcmp(to + i * DMA_BYTES, expected, DMA_BYTES);
	return n;
}

static void report_dma(const char *when, const char *want, int tried,
		       int reached)
{
	report("dma step=%d when=%s want=%s tried=%d reached=%d", step, when,
	       want, tried, reached);
}

/* Every device carries a pattern from one end of every range to the other */
static void check_reaches(const char *when)
{
	int r, reached = 0;

	for (r = 0; r < num_ranges; r++) {
		struct range *range = &ranges[r];
		uint8_t *to = range->memory + DESTINATION;

		fill(range->memory + SOURCE);
		memset(to, 0, num_edus * DMA_BYTES);
		all_read(range->iova + SOURCE);
		all_write(range->iova + DESTINATION);
		reached += count_written(to, range->memory + SOURCE);
	}
	report_dma(when, "reach", num_ranges * num_edus, reached);
}

/*
 * No device may still write or read what is no longer mapped. Through a range
 * that stays mapped they show what they have read.
 */
static void check_blocked(const char *when, struct range *gone,
			  struct range *still)
{
	uint8_t *target = gone->memory + DESTINATION;
	uint8_t *shown = still->memory + DESTINATION;
	int reached;

	fill(still->memory + SOURCE);
	memset(target, 0, num_edus * DMA_BYTES);
	all_read(still->iova + SOURCE);
	all_write(gone->iova + DESTINATION);
	reached = count_written(target, still->memory + SOURCE);

	fill(gone->memory + SOURCE);
	all_read(gone->iova + SOURCE);
	all_write(still->iova + DESTINATION);
	reached += count_written(shown, gone->memory + SOURCE);
	report_dma(when, "blocked", 2 * num_edus, reached);
}

static void list_edus(void)
{
	int g, i;

	num_edus = 0;
	for (g = 0; g < num_attached; g++)
		for (i = 0; i < attached[g]->num_edus; i++)
			edus[num_edus++] = &attached[g]->edus[i];
}

static void measure_begin(void)
{
	step++;
	klog_begin();
	trace_begin();
}

static void measure_end(const char *what, struct group *group, int ret)
{
	int before = trace_domains();
	struct trace trace;

	trace_end(&trace);
	report("%s step=%d group=%s devices=%d before=%d ret=%d claim=%d calls=%d refused=%d position=%d errnos=%s traced=%d log=%d domains=%d",
	       what, step, group->name, group->devices, before, ret,
	       trace.claim, trace.calls, trace.refused, trace.position,
	       trace.errnos[0] ? trace.errnos : "none", trace.traced,
	       klog_end(), trace_domains());
	if (ret)
		die("%s of %s: %s", what, group->name, strerror(-ret));
}

static void attach(struct group *group)
{
	static bool has_type;
	int ret;

	measure_begin();
	ret = vfio_attach(container, group, !has_type);
	measure_end("attach", group, ret);
	has_type = true;
	vfio_open_devices(group);
	attached[num_attached++] = group;
	list_edus();
}

static void detach(struct group *group)
{
	int i, ret;

	for (i = 0; attached[i] != group; i++)
		;
	for (num_attached--; i < num_attached; i++)
		attached[i] = attached[i + 1];
	list_edus();
	vfio_close_devices(group);
	measure_begin();
	ret = vfio_detach(group);
	measure_end("detach", group, ret);
}

static void map(void)
{
	struct range *range = &ranges[num_ranges];

	range->iova = FIRST_IOVA + num_ranges * IOVA_STEP;
	vfio_map(container, range);
	num_ranges++;
}

/* The oldest mapping goes: it is what IOTLBs have had most time to keep */
static struct range unmap(void)
{
	struct range range = ranges[0];

	vfio_unmap(container, &range);
	num_ranges--;
	memmove(&ranges[0], &ranges[1], num_ranges * sizeof(range));
	return range;
}

/*
 * groups[0] comes first. Another one behind the same instance, its mate, finds
 * a domain that fits; the others find only domains that do not.
 */
void run_scenario(struct group *groups, int count)
{
	struct group *first = &groups[0], *mate = NULL, *other = NULL;
	struct range gone;
	int i;

	for (i = 1; i < count; i++) {
		if (!strcmp(first->iommu, groups[i].iommu))
			mate = &groups[i];
		else if (!other)
			other = &groups[i];
	}
	if (!mate || !other)
		die("this takes two groups behind one IOMMU, and another IOMMU");

	container = vfio_open_container();
	attach(first);
	map();
	check_reaches("alone");
	attach(mate);
	check_reaches("joined");
	detach(mate);

	for (i = 1; i < count; i++) {
		if (&groups[i] == mate)
			continue;
		attach(&groups[i]);
		check_reaches("replayed");
		map();
		check_reaches("mapped");
	}
	attach(mate);
	check_reaches("joined");

	gone = unmap();
	check_blocked("unmapped", &gone, &ranges[0]);
	check_reaches("kept");

	/* either side of the container goes and comes back */
	detach(other);
	check_reaches("left");
	attach(other);
	check_reaches("replayed");
	detach(mate);
	detach(first);
	check_reaches("left");
	attach(first);
	check_reaches("replayed");

	while (num_attached)
		detach(attached[0]);
	close(container);
}
