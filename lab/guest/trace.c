// SPDX-License-Identifier: GPL-2.0
/*
 * Every call of the driver's ->attach_dev and its return, every domain that the
 * driver allocates and frees, and when the core claims DMA ownership: counted
 * with kprobes on functions that both kernels have, so that the unpatched and
 * the patched kernel are measured by the same means. The tracepoint exists on
 * the patched kernel alone and is held against the kprobes there.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRACEFS		"/sys/kernel/tracing/"
#define TRACEPOINT	"attach_device_failed"
#define MAX_DOMAINS	32

/* Domains of VFIO that are alive: those allocated outside of a claim */
static unsigned long long domains[MAX_DOMAINS];

/* All of /proc/kallsyms, read once: a distribution's kernel has 200,000 lines of it */
static const char *kallsyms(void)
{
	static char *text;
	size_t len = 0, size = 1 << 20;
	ssize_t n;
	int fd;

	if (text)
		return text;
	fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	while ((text = realloc(text, size)) && (n = read(fd, text + len, size - len - 1)) > 0) {
		len += n;
		if (size - len < 4096)
			size *= 2;
	}
	if (!text || n < 0)
		die("cannot read kallsyms: %s", strerror(errno));
	close(fd);
	text[len] = '\0';
	return text;
}

/*
 * Puts a probe on every function of that name: drivers that are built in
 * together can have static ones alike, of which one is called. A name that is
 * not unique is no place for a probe, so say where it is behind _text. All
 * probes of an event go by its name. Returns how many functions there are.
 */
static int probe_if_there(const char *event, const char *name, const char *fields)
{
	const char *at, *text = strstr(kallsyms(), " _text\n");
	char line[256], end[130];
	int found = 0;

	if (!text || !*name)
		return 0;
	snprintf(end, sizeof(end), " %s", name);
	for (at = kallsyms(); (at = strstr(at, end)); at += strlen(end)) {
		if (at[strlen(end)] != '\n' && at[strlen(end)] != '\t')
			continue;
		/* 16 digits and the type are before it */
		snprintf(line, sizeof(line), "%s _text+0x%llx%s", event,
			 strtoull(at - 18, NULL, 16) - strtoull(text - 18, NULL, 16), fields);
		if (!try_put(TRACEFS "kprobe_events", line))
			die("cannot probe %s: %s", name, strerror(errno));
		found++;
	}
	return found;
}

static void probe(const char *event, const char *name, const char *fields)
{
	if (!probe_if_there(event, name, fields))
		die("there is no function %s to probe", name);
}

/*
 * @functions: how the driver calls its ->attach_dev, ->domain_alloc and ->free,
 * with commas between them; and, where one of the kernels has it, ->attach_dev of
 * its blocking domain. Returns whether the kernel has the tracepoint for failed
 * attaches.
 */
bool trace_setup(const char *functions)
{
	/* struct device begins with its kobject, and that with its name */
	const char *args = " domain=$arg1:x64 dev=+0(+0($arg2)):string";
	char attach[64], alloc[64], free[64], block[64] = "";

	if (sscanf(functions, "%63[^,],%63[^,],%63[^,],%63[^,]", attach, alloc,
		   free, block) < 3)
		die("LAB_FUNCTIONS=%s are less than three", functions);
	probe("p:lab/attach", attach, args);
	probe("r:lab/attached", attach, " ret=$retval:s32");
	probe_if_there("p:lab/attach", block, args);
	probe_if_there("r:lab/attached", block, " ret=$retval:s32");
	probe("r:lab/domain_alloc", alloc, " domain=$retval:x64");
	probe("p:lab/domain_free", free, " domain=$arg1:x64");
	probe("p:lab/claim", "iommu_group_claim_dma_owner", "");
	probe("r:lab/claimed", "iommu_group_claim_dma_owner", "");
	/* which iommufd uses */
	probe_if_there("p:lab/claim", "iommu_device_claim_dma_owner", "");
	probe_if_there("r:lab/claimed", "iommu_device_claim_dma_owner", "");
	put(TRACEFS "events/lab/enable", "1");
	return try_put(TRACEFS "events/iommu/" TRACEPOINT "/enable", "1");
}

/* Truncating the trace empties it */
void trace_begin(void)
{
	FILE *file = fopen(TRACEFS "trace", "we");

	if (!file)
		die("cannot empty the trace: %s", strerror(errno));
	fclose(file);
}

static void replace_domain(unsigned long long from, unsigned long long to)
{
	int i;

	for (i = 0; i < MAX_DOMAINS; i++) {
		if (domains[i] == from) {
			domains[i] = to;
			return;
		}
	}
	if (from == 0)
		die("more than %d domains", MAX_DOMAINS);
}

int trace_domains(void)
{
	int i, n = 0;

	for (i = 0; i < MAX_DOMAINS; i++)
		n += domains[i] != 0;
	return n;
}

static void add_errno(struct trace *trace, int ret)
{
	size_t n = strlen(trace->errnos);

	snprintf(trace->errnos + n, sizeof(trace->errnos) - n, "%s%d",
		 n ? "," : "", ret);
}

/* What stands behind "event: ... key=" in a line of the trace */
static const char *field(const char *line, const char *event, const char *key)
{
	char text[64];

	snprintf(text, sizeof(text), " %s: ", event);
	line = strstr(line, text);
	return line && *key ? strstr(line, key) : line;
}

/* The calls and refusals since trace_begin(), while a program runs: claims do not count */
int trace_so_far(int *refused)
{
	FILE *file = fopen(TRACEFS "trace", "re");
	bool claiming = false;
	const char *value;
	char line[512];
	int calls = 0;

	if (!file)
		die("cannot read the trace: %s", strerror(errno));
	*refused = 0;
	while (fgets(line, sizeof(line), file)) {
		if (field(line, "claim", ""))
			claiming = true;
		else if (field(line, "claimed", ""))
			claiming = false;
		else if (field(line, "attach", "domain="))
			calls += !claiming;
		else if ((value = field(line, "attached", "ret=")))
			*refused += atoi(value + strlen("ret=")) != 0;
	}
	fclose(file);
	return calls;
}

void trace_end(struct trace *trace)
{
	FILE *file = fopen(TRACEFS "trace", "re");
	unsigned long long domain, last = 0;
	int position = 0, open = 0, ret;
	const char *value, *device;
	bool claiming = false;
	char line[512];

	*trace = (struct trace){ };
	if (!file)
		die("cannot read the trace: %s", strerror(errno));

	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#')
			continue;
		line[strcspn(line, "\n")] = '\0';

		if (field(line, "claim", "")) {
			claiming = true;
		} else if (field(line, "claimed", "")) {
			claiming = false;
		} else if ((value = field(line, "attach", "domain="))) {
			domain = strtoull(value + strlen("domain="), NULL, 16);
			device = strstr(value, "dev=");
			position = domain == last ? position + 1 : 1;
			last = domain;
			open++;
			if (claiming)
				trace->claim++;
			else
				trace->calls++;
			report("# %s attach domain=%04llx %s",
			       claiming ? "claim" : "vfio", domain >> 4 & 0xffff,
			       device ? device : "");
		} else if ((value = field(line, "attached", "ret="))) {
			open--;
			ret = atoi(value + strlen("ret="));
			if (!ret)
				continue;
			report("# attach returned %d", ret);
			trace->refused++;
			trace->position = position;
			add_errno(trace, ret);
		} else if ((value = field(line, "domain_alloc", "domain="))) {
			domain = strtoull(value + strlen("domain="), NULL, 16);
			if (domain && !claiming)
				replace_domain(0, domain);
		} else if ((value = field(line, "domain_free", "domain="))) {
			domain = strtoull(value + strlen("domain="), NULL, 16);
			replace_domain(domain, 0);
		} else if (field(line, TRACEPOINT, "")) {
			report("# %s", strstr(line, TRACEPOINT));
			trace->traced++;
		}
	}
	fclose(file);
	if (open)
		die("the trace has lost %d events", open);
}
