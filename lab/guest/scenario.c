// SPDX-License-Identifier: GPL-2.0
/*
 * Groups come to a container and go, behind several IOMMU instances or behind
 * the only one. After every change each device proves by DMA what it reaches.
 */
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * From where addresses start: below edu's 28 bit mask, clear of the MSI window
 * at 0x8000000
 */
#define FIRST_IOVA	0x1000000
#define IOVA_STEP	0x1000000

/* Where in a range devices read, and where they write, one after the other */
#define SOURCE		0
#define DESTINATION	0x8000

struct container {
	int fd;
	bool has_type;
	struct group *attached[MAX_GROUPS];
	int num_attached;
	struct range ranges[MAX_GROUPS];
	int num_ranges, num_mapped;
};

static struct container containers[2], *container = &containers[0];
static struct edu *edus[MAX_GROUPS * MAX_EDUS];	/* in the container */
static int num_edus;
static int step;
static const struct interface *via;
static char by[16];			/* says so in each line, but for type 1 */

static void fill(uint8_t *memory)
{
	int i;

	for (i = 0; i < DMA_BYTES; i++)
		memory[i] = rand();
}

static void all_start(void (*start)(struct edu *edu, uint64_t iova), uint64_t iova, int step)
{
	int i;

	for (i = 0; i < num_edus; i++)
		start(edus[i], iova + i * step);
}

static void all_wait(void)
{
	int i;

	for (i = 0; i < num_edus; i++)
		edu_wait(edus[i]);
}

static void all_read(uint64_t iova)
{
	all_start(edu_read_memory, iova, 0);
	all_wait();
}

/* Every device to a place of its own */
static void all_write(uint64_t iova)
{
	all_start(edu_write_memory, iova, DMA_BYTES);
	all_wait();
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
	report("dma step=%d%s container=%d when=%s want=%s tried=%d reached=%d",
	       step, by, (int)(container - containers) + 1, when, want, tried,
	       reached);
}

/* Every device carries a pattern from one end of every range to the other */
static void check_reaches(const char *when)
{
	int r, reached = 0;

	for (r = 0; r < container->num_ranges; r++) {
		struct range *range = &container->ranges[r];
		uint8_t *to = range->memory + DESTINATION;

		fill(range->memory + SOURCE);
		memset(to, 0, num_edus * DMA_BYTES);
		all_read(range->iova + SOURCE);
		all_write(range->iova + DESTINATION);
		reached += count_written(to, range->memory + SOURCE);
	}
	report_dma(when, "reach", container->num_ranges * num_edus, reached);
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

/*
 * No device of a group that is attached to nothing may write: where it could before, and with
 * LAB_LEFT, which is for devices that can address all of it, to memory without a translation.
 */
static void check_detached(struct group *group)
{
	struct range *range = &container->ranges[0];
	uint8_t *to = range->memory + DESTINATION;
	uint64_t targets[2] = { range->iova + DESTINATION };
	int i, j, t, tried = 0, reached = 0;

	memset(to, 0, DMA_BYTES);
	if (getenv("LAB_LEFT"))
		targets[1] = physical(to);
	for (i = 0; i < group->num_edus; i++) {
		if (!group->edus[i].can_dma)
			continue;
		for (t = 0; t < 2 && targets[t]; t++) {
			tried++;
			edu_write_memory(&group->edus[i], targets[t]);
			edu_wait(&group->edus[i]);
			for (j = 0; j < DMA_BYTES && !to[j]; j++)
				;
			reached += j < DMA_BYTES;
			memset(to, 0, DMA_BYTES);
		}
	}
	report_dma("detached", "blocked", tried, reached);
}

/* The same where VFIO does not hold the devices */
static void check_left(struct group *group)
{
	int i;

	for (i = 0; i < group->num_edus; i++)
		edu_enable(&group->edus[i]);
	check_detached(group);
	for (i = 0; i < group->num_edus; i++)
		device_release(&group->edus[i]);
}

static void list_edus(void)
{
	struct group *group;
	int g, i;

	num_edus = 0;
	for (g = 0; g < container->num_attached; g++) {
		group = container->attached[g];
		for (i = 0; i < group->num_edus; i++)
			if (group->edus[i].can_dma)
				edus[num_edus++] = &group->edus[i];
	}
}

/* What follows is about this container */
static void use_container(struct container *one)
{
	container = one;
	if (!container->fd)
		container->fd = via->open_container();
	list_edus();
}

static void measure_begin(void)
{
	step++;
	klog_begin();
	trace_begin();
}

static void measure_end(const char *what, struct group *group, int ret)
{
	struct trace trace;

	trace_end(&trace);
	report("%s step=%d%s container=%d group=%s devices=%d ret=%d claim=%d calls=%d refused=%d position=%d errnos=%s traced=%d log=%d domains=%d",
	       what, step, by, (int)(container - containers) + 1, group->name,
	       group->devices, ret, trace.claim, trace.calls, trace.refused,
	       trace.position, trace.errnos[0] ? trace.errnos : "none",
	       trace.traced, klog_end(), trace_domains());
}

static void must_work(const char *what, struct group *group, int ret)
{
	if (ret)
		die("%s of %s: %s", what, group->name, strerror(-ret));
}

static void attach(struct group *group)
{
	int ret;

	measure_begin();
	ret = via->attach(container->fd, group, !container->has_type);
	measure_end("attach", group, ret);
	must_work("attach", group, ret);
	container->has_type = true;
	via->open_devices(group);
	container->attached[container->num_attached++] = group;
	list_edus();
}

static void leave(struct group *group)
{
	int i;

	for (i = 0; container->attached[i] != group; i++)
		;
	for (container->num_attached--; i < container->num_attached; i++)
		container->attached[i] = container->attached[i + 1];
	list_edus();
}

static void detach(struct group *group)
{
	int ret;

	leave(group);
	via->close_devices(group);
	measure_begin();
	ret = via->detach(group);
	measure_end("detach", group, ret);
	must_work("detach", group, ret);
	if (getenv("LAB_LEFT"))
		check_left(group);
}

static void detach_all(void)
{
	while (container->num_attached)
		detach(container->attached[0]);
	via->close_container(container->fd);
	*container = (struct container){ };
}

static void map(void)
{
	struct range *range = &container->ranges[container->num_ranges++];

	range->iova = via->first_iova(container->fd) + FIRST_IOVA +
		      container->num_mapped++ * IOVA_STEP;
	via->map(container->fd, range);
}

/* The oldest mapping goes: it is what IOTLBs have had most time to keep */
static struct range unmap(void)
{
	struct range *ranges = container->ranges, range = ranges[0];

	via->unmap(container->fd, &range);
	container->num_ranges--;
	memmove(&ranges[0], &ranges[1], container->num_ranges * sizeof(range));
	return range;
}

static void check_unmap(void)
{
	struct range gone = unmap();

	check_blocked("unmapped", &gone, &container->ranges[0]);
	check_reaches("kept");
}

/* One group alone, and another one that comes to its domain and goes again */
static void begin(struct group *first, struct group *mate)
{
	attach(first);
	map();
	check_reaches("alone");
	attach(mate);
	check_reaches("joined");
	detach(mate);
}

/*
 * groups[0] comes first. Another one behind the same instance, its mate, finds
 * a domain that fits; the others find only domains that do not.
 */
static void several_instances(struct group *groups, int count,
			      struct group *mate, struct group *other)
{
	struct group *first = &groups[0];
	int i;

	begin(first, mate);

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
	check_unmap();

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
	detach_all();
}

/* Nothing refuses here: both groups can have either's domain */
static void one_instance(struct group *first, struct group *mate)
{
	begin(first, mate);
	check_reaches("left");
	attach(mate);
	check_reaches("joined");

	/* the domain and what is mapped outlive the group they came with */
	detach(first);
	check_reaches("left");
	attach(first);
	check_reaches("joined");

	/* the same addresses lead elsewhere from another container */
	detach(mate);
	use_container(&containers[1]);
	attach(mate);
	map();
	check_reaches("apart");
	use_container(&containers[0]);
	check_reaches("apart");
	use_container(&containers[1]);
	detach_all();
	use_container(&containers[0]);
	check_reaches("left");
	attach(mate);
	check_reaches("joined");

	map();
	check_reaches("mapped");
	check_unmap();
	detach_all();
}

/*
 * The group goes to a hwpt that was made for the group of, or where there is no
 * such to what the container finds. What refuses changes nothing.
 */
static int replace(struct group *group, uint32_t pt, struct group *of)
{
	char what[32];
	int ret;

	measure_begin();
	ret = iommufd_change(group, pt);
	snprintf(what, sizeof(what), "replace of=%s edus=%d", of ? of->name : "ioas", group->num_edus);
	measure_end(what, group, ret);
	return ret;
}

/*
 * Devices are about to read and write when a hwpt is offered that must refuse, as
 * those of another instance do, where there is one
 */
static void replace_refused(struct group *group, uint32_t hwpt, struct group *of)
{
	struct range *range = &container->ranges[0];
	int windows = iommufd_windows(container->fd);

	if (!of)
		return;
	fill(range->memory + SOURCE);
	memset(range->memory + DESTINATION, 0, num_edus * DMA_BYTES);
	all_start(edu_read_memory, range->iova + SOURCE, 0);
	replace(group, hwpt, of);
	all_wait();
	all_start(edu_write_memory, range->iova + DESTINATION, DMA_BYTES);
	replace(group, hwpt, of);
	all_wait();
	report_dma("running", "reach", num_edus,
		   count_written(range->memory + DESTINATION, range->memory + SOURCE));
	check_reaches("kept");
	report_dma("windows", "reach", 1, iommufd_windows(container->fd) == windows);
}

/* From one container to what the other finds for the group, without a moment in between */
static void move(struct group *group, struct container *from, struct container *to)
{
	use_container(from);
	leave(group);
	use_container(to);
	must_work("replace", group, replace(group, to->fd, NULL));
	to->attached[to->num_attached++] = group;
	list_edus();
	check_reaches("moved");
}

static uint32_t hwpt_alloc(struct group *group)
{
	uint32_t hwpt;

	measure_begin();
	hwpt = iommufd_hwpt_alloc(group, container->fd);
	measure_end("hwpt", group, 0);
	return hwpt;
}

static void hwpt_destroy(struct group *group, uint32_t hwpt)
{
	measure_begin();
	iommufd_destroy(hwpt);
	measure_end("destroy", group, 0);
}

/* What is taken off its hwpt and stays open reaches nothing */
static void leave_open(struct group *group)
{
	int ret;

	measure_begin();
	ret = iommufd_leave(group);
	measure_end("detach", group, ret);
	check_detached(group);
}

/*
 * A group of several devices goes to hwpts that are made by hand, to the first from
 * none. The range that is mapped here is in one IOAS only, out of reach from the other.
 */
static void by_hand(struct group *group, uint32_t here, uint32_t there)
{
	map();
	leave_open(group);
	must_work("attach", group, replace(group, here, group));
	check_reaches("moved");
	move(group, &containers[0], &containers[1]);
	check_blocked("elsewhere", &containers[0].ranges[1], &container->ranges[0]);
	must_work("replace", group, replace(group, there, group));
	check_reaches("moved");
	move(group, &containers[1], &containers[0]);
}

/*
 * Groups move between hwpts that are made by hand and those that an IOAS finds,
 * also of another IOAS. What is refused stays where it is. Without another
 * instance the mate is in the other IOAS, and nothing refuses.
 */
static void replaces(struct group *first, struct group *mate, struct group *other)
{
	struct group *peer = other ? other : mate;
	uint32_t own, others, elsewhere;
	int ret;

	use_container(&containers[1]);
	attach(peer);
	map();
	check_reaches("alone");
	elsewhere = hwpt_alloc(peer);
	use_container(&containers[0]);
	attach(first);
	map();
	check_reaches("alone");
	own = hwpt_alloc(first);
	others = hwpt_alloc(peer);

	/* from the domain that the IOAS has found, and from one made by hand */
	replace_refused(first, others, other);
	replace_refused(first, elsewhere, other);
	must_work("replace", first, replace(first, own, first));
	check_reaches("moved");
	replace_refused(first, others, other);

	/* a move whose answer cannot be written; then back, from wherever that led */
	ret = iommufd_change_unwritten(first, container->fd);
	if (ret != -EFAULT)
		die("replace with an argument in read-only memory: %d", ret);
	check_reaches("unwritten");
	must_work("replace", first, iommufd_change(first, own));

	/* the other one's domain comes first, and that of the mate fits */
	move(peer, &containers[1], &containers[0]);
	if (other) {
		attach(mate);
		check_reaches("replayed");
	}
	must_work("replace", first, replace(first, container->fd, NULL));
	check_reaches("moved");
	must_work("replace", first, replace(first, container->fd, NULL));
	check_reaches("kept");

	/* the same addresses lead elsewhere from the other IOAS */
	move(first, &containers[0], &containers[1]);
	replace_refused(first, elsewhere, other);
	use_container(&containers[0]);
	check_reaches("left");
	move(first, &containers[1], &containers[0]);

	leave_open(peer);
	measure_begin();
	ret = iommufd_change(peer, container->fd);
	measure_end("attach bound=1", peer, ret);
	must_work("attach", peer, ret);
	check_reaches("replayed");
	if (!other)
		by_hand(mate, others, elsewhere);

	hwpt_destroy(peer, elsewhere);
	hwpt_destroy(peer, others);
	hwpt_destroy(first, own);
	detach_all();
	use_container(&containers[1]);
	detach_all();
}

void run_scenario(const struct interface *interface, struct group *groups, int count, int instances)
{
	struct group *mate = NULL, *other = NULL;
	int i, letters = count > 0;

	/* groups are named by what they are behind: A, A2, B ... */
	for (i = 1; i < count; i++) {
		if (groups[i].name[0] == groups[0].name[0])
			mate = &groups[i];
		else if (!other)
			other = &groups[i];
		letters += !groups[i].name[1];
	}
	if (letters != instances)
		die("%d groups behind %d IOMMUs, not %d", count, letters,
		    instances);
	if (!mate)
		die("this takes two groups behind one IOMMU");

	via = interface;
	by[0] = '\0';
	if (via != &type1)
		snprintf(by, sizeof(by), " by=%s", via->name);
	use_container(&containers[0]);
	if (other)
		several_instances(groups, count, mate, other);
	else
		one_instance(&groups[0], mate);
	if (via == &iommufd)
		replaces(&groups[0], mate, other);
}
