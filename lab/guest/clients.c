// SPDX-License-Identifier: GPL-2.0
/*
 * What users run: DPDK's testpmd, which has all network devices in one container,
 * and QEMU, which also has the edu devices. Every program and every change is
 * measured as scenario.c does it.
 */
#include "lab.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS		300	/* for anything that a program is asked for */
#define INNER_SECONDS	600	/* for an emulated kernel on an emulated processor */
#define QTEST		"/tmp/qtest"
#define BURST_MS	2000
#define STARTS		3	/* of what is timed: the quickest counts */
#define COUNT		50000000

static struct program program;
static struct group *all[MAX_GROUPS];	/* A, A2, ..., B, ... */
static int num_all;
/* Those that the program has, in the order in which it got them */
static struct group *here[MAX_GROUPS];
static int num_here;
static const char *by;			/* the program, and how it runs */

static void begin(void)
{
	klog_begin();
	trace_begin();
}

/* Reports what happened since begin(), and begins anew: nothing may get lost. Returns the calls. */
static int end(const char *what, const char *format, ...)
{
	struct trace trace;
	char more[256];
	va_list args;
	int lines;

	va_start(args, format);
	vsnprintf(more, sizeof(more), format, args);
	va_end(args);
	trace_end(&trace);
	lines = klog_end();
	report("%s by=%s container=1 %s claim=%d calls=%d refused=%d position=%d errnos=%s traced=%d log=%d domains=%d",
	       what, by, more, trace.claim, trace.calls, trace.refused,
	       trace.position, trace.errnos[0] ? trace.errnos : "none",
	       trace.traced, lines, trace_domains());
	begin();
	return trace.calls;
}

static void carried(const char *when, int tried, int reached)
{
	report("dma by=%s when=%s want=reach tried=%d reached=%d", by, when, tried, reached);
}

/* How long it takes to count: what else the machine does shows here, and the kernel does not */
static int count_ms(void)
{
	long long start = now_ms();
	volatile int i;

	for (i = 0; i < COUNT; i++)
		;
	return now_ms() - start;
}

/* All groups have come with the program: "A:2,A2:2,B:2" has their devices. Returns the calls. */
static int report_start(long long ms)
{
	char list[128] = "";
	int i;

	for (i = 0; i < num_here; i++)
		sprintf(list + strlen(list), "%s%s:%d", i ? "," : "", here[i]->name, here[i]->devices);
	return end("start", "groups=%s ret=0 ms=%lld count=%d", list, ms, count_ms());
}

static void report_end(const char *how, int status)
{
	end("end", "how=%s ret=%d", how, status);
	num_here = 0;
}

static void leave(int i)
{
	num_here--;
	memmove(&here[i], &here[i + 1], (num_here - i) * sizeof(here[0]));
}

/* DPDK */

#define PROMPT		"testpmd> "
#define NICS_MAX	4
static struct group *nics[NICS_MAX];
static int num_nics;

/* Gives a command, and returns what testpmd says to it */
static char *testpmd(const char *format, ...)
{
	char command[64], *heard;
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	program_say(&program, "%s\n", command);
	heard = program_hear(&program, PROMPT, SECONDS);
	if (!heard)
		die("testpmd ended at '%s'", command);
	return heard;
}

static long sum(const char *text, const char *key)
{
	long n = 0;

	while ((text = strstr(text, key))) {
		text += strlen(key);
		n += atol(text);
	}
	return n;
}

/*
 * Every device sends a burst to the next one, which is behind another IOMMU or
 * the same, and passes on what it gets. On a wire on which nothing is lost, as
 * many packets arrive as are sent, and only who is meant takes one.
 */
static void forward(void)
{
	char *stats;
	long sent, received, lost;

	testpmd("start tx_first 2");
	usleep(BURST_MS * 1000);
	testpmd("stop");
	/* what is under way arrives */
	sleep(1);
	stats = testpmd("show port stats all");
	sent = sum(stats, "TX-packets:");
	received = sum(stats, "RX-packets:");
	lost = sum(stats, "RX-missed:") + sum(stats, "RX-errors:") +
	       sum(stats, "RX-nombuf:") + sum(stats, "TX-errors:");
	report("# %ld packets sent, %ld received, %ld lost", sent, received, lost);
	carried("packets", sent + lost, received);
	testpmd("clear port stats all");
}

static void set_peers(void)
{
	int i;

	testpmd("set promisc all off");
	for (i = 0; i < num_nics; i++)
		testpmd("set eth-peer %d 52:54:00:00:00:%02x", i, (i + 1) % num_nics);
}

static void testpmd_start(void)
{
	char *argv[32] = { "/bin/dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "128",
		"--no-telemetry", "--no-shconf", "-d", "/plugins", "--iova-mode=va" };
	long long start = now_ms();
	int i, argc = 11;

	for (i = 0; i < num_nics; i++) {
		argv[argc++] = "-a";
		argv[argc++] = nics[i]->edus[0].bdf;
		here[num_here++] = nics[i];
	}
	argv[argc++] = "--";
	argv[argc++] = "-i";
	argv[argc++] = "--total-num-mbufs=4096";
	argv[argc++] = "--nb-cores=1";
	argv[argc++] = "--forward-mode=mac";
	argv[argc++] = "--port-topology=chained";
	/* It would be printed into the middle of a prompt, which then is none */
	argv[argc++] = "--mask-event=all";
	begin();
	program_start(&program, argv);
	if (!program_hear(&program, PROMPT, SECONDS))
		die("testpmd does not start");
	report_start(now_ms() - start);
	set_peers();
	forward();
}

/* A device goes away and comes back at run time */
static void testpmd_replug(int port)
{
	struct group *nic = nics[port];
	int i;

	testpmd("port stop %d", port);
	testpmd("port close %d", port);
	testpmd("device detach %s", nic->edus[0].bdf);
	for (i = 0; here[i] != nic; i++)
		;
	leave(i);
	end("detach", "group=%s devices=%d ret=0", nic->name, nic->devices);
	testpmd("port attach %s", nic->edus[0].bdf);
	here[num_here++] = nic;
	end("attach", "group=%s devices=%d ret=0", nic->name, nic->devices);
	testpmd("port start all");
	set_peers();
	forward();
}

static void run_testpmd(void)
{
	int i;

	by = "testpmd";
	testpmd_start();
	for (i = num_nics - 1; i >= 1; i--)
		testpmd_replug(i);
	program_say(&program, "quit\n");
	report_end("quit", program_end(&program, 0));
	for (i = 1; i < STARTS; i++) {
		testpmd_start();
		testpmd("start tx_first 2");
		report_end("killed", program_end(&program, SIGKILL) + SIGKILL);
	}
}

/* QEMU: group N is behind root port N + 1, and is edu or not */

#define DEVICE_ADD	"{\"execute\":\"device_add\",\"arguments\":{\"driver\":\"vfio-pci\",\"host\":\"%s\",\"rombar\":0,\"bus\":\"port%d\",\"id\":\"dev%d\"%s}}"

/* QEMU gets its devices from iommufd, not from a container of type 1 */
static bool over_iommufd;

static bool is_edu_group(int i)
{
	return all[i]->edus[0].can_dma;
}

/* QEMU tells of this before or after it has answered */
static bool deleted;

/* Sends a command of QMP; returns whether it did what it should */
static bool qmp(const char *format, ...)
{
	char command[512], *line;
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	program_say(&program, "%s\n", command);
	for (;;) {
		line = program_hear(&program, "\n", SECONDS);
		if (!line)
			die("QEMU ended at %s", command);
		if (strstr(line, "\"DEVICE_DELETED\""))
			deleted = true;
		if (!strncmp(line, "{\"return\"", 9))
			return true;
		if (!strncmp(line, "{\"error\"", 8)) {
			report("# %s: %s", command, line);
			return false;
		}
	}
}

static void edus_copy(const char *when)
{
	int i, tried = 0, reached = 0;

	for (i = 0; i < num_here; i++) {
		if (!here[i]->edus[0].can_dma)
			continue;
		tried++;
		reached += qtest_edu_copies(here[i]->port);
	}
	if (tried)
		carried(when, tried, reached);
}

/* Adds what makes QEMU open /dev/iommu; returns how many arguments that are */
static int add_iommufd(char **argv)
{
	if (!over_iommufd)
		return 0;
	argv[0] = "-object";
	argv[1] = "iommufd,id=fd";
	return 2;
}

static const char *device_words(void)
{
	return over_iommufd ? ",iommufd=fd" : "";
}

static void qemu_start(bool large_pages, bool with_devices)
{
	static char devices[2 * MAX_GROUPS][96];
	char *argv[64] = { "/bin/qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57",
		"-accel", "tcg", "-S", "-m", "128", "-nodefaults", "-display", "none",
		"-qmp", "stdio", "-qtest", "pipe:" QTEST,
		"-qtest-log", "/dev/null" };
	int i, argc = 19;

	argc += add_iommufd(&argv[argc]);

	if (large_pages) {
		argv[argc++] = "-mem-prealloc";
		argv[argc++] = "-mem-path";
		argv[argc++] = "/hugepages";
	}
	for (i = 0; i < num_all; i++) {
		all[i]->port = i + 1;
		snprintf(devices[2 * i], sizeof(devices[0]), "pcie-root-port,id=port%d,chassis=%d,addr=%d",
			 i + 1, i + 1, i + 1);
		argv[argc++] = "-device";
		argv[argc++] = devices[2 * i];
		if (!with_devices)
			continue;
		snprintf(devices[2 * i + 1], sizeof(devices[0]), "vfio-pci,host=%s,rombar=0,bus=port%d%s",
			 all[i]->edus[0].bdf, i + 1, device_words());
		argv[argc++] = "-device";
		argv[argc++] = devices[2 * i + 1];
		here[num_here++] = all[i];
	}
	qtest_pipes(QTEST);
	program_start(&program, argv);
}

static void qemu_ready(void)
{
	if (!program_hear(&program, "\"QMP\"", SECONDS) ||
	    !program_hear(&program, "\n", SECONDS) ||
	    !qmp("{\"execute\":\"qmp_capabilities\"}"))
		die("QEMU does not start");
	qtest_connect(QTEST);
}

/* All devices are there when it starts; returns how many calls that took */
static int run_assigned(bool large_pages)
{
	long long start = now_ms();
	int i, calls;

	if (over_iommufd)
		by = large_pages ? "qemu,2M,iommufd" : "qemu,iommufd";
	else
		by = large_pages ? "qemu,2M" : "qemu";
	begin();
	qemu_start(large_pages, true);
	qemu_ready();
	calls = report_start(now_ms() - start);
	for (i = 0; i < num_all; i++)
		if (is_edu_group(i))
			qtest_enable(all[i]->port);
	edus_copy("inner");
	program_say(&program, "{\"execute\":\"quit\"}\n");
	report_end("quit", program_end(&program, 0));
	return calls;
}

static void add(int i)
{
	bool done = qmp(DEVICE_ADD, all[i]->edus[0].bdf, all[i]->port, i,
			over_iommufd ? ",\"iommufd\":\"fd\"" : "");

	end("attach", "group=%s devices=%d ret=%d", all[i]->name, all[i]->devices, done ? 0 : -1);
	if (!done)
		die("device_add of %s fails", all[i]->edus[0].bdf);
	here[num_here++] = all[i];
	if (is_edu_group(i))
		qtest_enable(all[i]->port);
	else
		qtest_power(all[i]->port, true);
	edus_copy("inner");
}

static void del(int i)
{
	int n;

	deleted = false;
	if (!qmp("{\"execute\":\"device_del\",\"arguments\":{\"id\":\"dev%d\"}}", i))
		die("device_del of %s fails", all[i]->edus[0].bdf);
	qtest_power(all[i]->port, false);
	if (!deleted && (!program_hear(&program, "\"DEVICE_DELETED\"", SECONDS) ||
			 !program_hear(&program, "\n", SECONDS)))
		die("%s does not go", all[i]->edus[0].bdf);
	for (n = 0; here[n] != all[i]; n++)
		;
	leave(n);
	end("detach", "group=%s devices=%d ret=0", all[i]->name, all[i]->devices);
	edus_copy("inner");
}

/* Devices come one by one, in every order of three, and go in another one */
static void run_hotplug(void)
{
	static const int orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	int three[3] = { -1, -1, -1 }, i, o;

	/* An edu device behind either IOMMU, and a network device */
	for (i = num_all - 1; i >= 0; i--)
		three[is_edu_group(i) ? three[2] >= 0 ? 0 : 2 : 1] = i;
	if (three[0] < 0 || three[1] < 0)
		die("this takes two edu devices and a network device");
	by = over_iommufd ? "device_add,iommufd" : "device_add";
	begin();
	qemu_start(false, false);
	qemu_ready();
	for (o = 0; o < 6; o++) {
		for (i = 0; i < 3; i++)
			add(three[orders[o][i]]);
		/* one goes and comes back */
		if (o == 0) {
			del(three[2]);
			add(three[2]);
			del(three[0]);
			add(three[0]);
		}
		for (i = 0; i < 3; i++)
			del(three[orders[o][(i + 1) % 3]]);
	}
	program_say(&program, "{\"execute\":\"quit\"}\n");
	report_end("quit", program_end(&program, 0));
}

/* The lab's kernel boots inside, and its devices copy its memory */
static void run_kernel(void)
{
	static char devices[MAX_GROUPS][96];
	char *argv[64] = { "/bin/qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a57",
		"-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot",
		"-serial", "stdio", "-kernel", "/inner/Image", "-initrd", "/inner/initrd",
		"-append", "console=ttyAMA0 ignore_loglevel printk.devkmsg=on panic=-1 LAB_INNER=1" };
	long long start = now_ms();
	int i, argc = 21, tried, reached, edus = 0;
	char *heard;

	if (access("/inner/Image", R_OK))
		die("there is no /inner/Image");

	by = over_iommufd ? "kernel,iommufd" : "kernel";
	argc += add_iommufd(&argv[argc]);
	for (i = 0; i < num_all; i++) {
		snprintf(devices[i], sizeof(devices[i]), "vfio-pci,host=%s,rombar=0%s", all[i]->edus[0].bdf, device_words());
		argv[argc++] = "-device";
		argv[argc++] = devices[i];
		here[num_here++] = all[i];
		edus += is_edu_group(i);
	}
	begin();
	program_start(&program, argv);
	if (!program_hear(&program, "Booting Linux", INNER_SECONDS))
		die("no kernel boots inside QEMU");
	report_start(now_ms() - start);
	if (!program_hear(&program, "LAB inner ", INNER_SECONDS))
		die("the kernel inside QEMU does not get to its end");
	heard = program_hear(&program, "\n", INNER_SECONDS);
	if (!heard || sscanf(heard, "tried=%d reached=%d", &tried, &reached) != 2)
		die("the kernel inside QEMU says what nobody understands");
	report("# after %lld ms", now_ms() - start);
	report("# it has tried %d devices", tried);
	carried("inner", edus, reached);
	report_end("powered_off", program_end(&program, 0));
}

/*
 * Stops QEMU after so many calls of ->attach_dev, or with 0 after the first refusal. Returns how
 * many there have been: what QEMU is in the middle of goes on until its next return to user space.
 */
static int qemu_stop(int wanted)
{
	long long until = now_ms() + SECONDS * 1000LL;
	int calls, refused, status;

	for (;;) {
		calls = trace_so_far(&refused);
		if (wanted ? calls >= wanted : refused)
			break;
		if (now_ms() > until)
			die("QEMU starts with %d calls and %d refusals in %d s", calls, refused, SECONDS);
		usleep(500);
	}
	kill(program.pid, SIGSTOP);
	if (waitpid(program.pid, &status, WUNTRACED) != program.pid || !WIFSTOPPED(status))
		die("QEMU does not stop");
	return trace_so_far(&refused);
}

/* QEMU, whose start takes that many calls, dies after some of them, and while devices do DMA */
static void run_killed(int full)
{
	static const int moments[] = { 1, 3, 5, 0 };
	int i, at;

	by = over_iommufd ? "qemu,iommufd" : "qemu";
	begin();
	for (i = 0; i < 4; i++) {
		qemu_start(false, true);
		at = qemu_stop(moments[i]);
		end("end", "how=killed ret=%d at=%d full=%d", program_end(&program, SIGKILL) + SIGKILL, at, full);
		num_here = 0;
	}
	qemu_start(false, true);
	qemu_ready();
	for (i = 0; i < num_all; i++)
		if (is_edu_group(i)) {
			qtest_enable(all[i]->port);
			qtest_edu_start(all[i]->port, 0x41000000, 0x40000, 0);
		}
	report_end("killed", program_end(&program, SIGKILL) + SIGKILL);
	run_assigned(false);
}

/* Are these words in the text, in this order? BDF is the device's address, N its group, and ... anything */
static bool holds(const char *text, const char *words, const struct group *group)
{
	char piece[256];
	int n;

	while (text && *words) {
		for (n = 0; *words && strncmp(words, "...", 3) && n < (int)sizeof(piece) - 32;) {
			if (!strncmp(words, "BDF", 3)) {
				n += sprintf(piece + n, "%s", group->edus[0].bdf);
				words += strlen("BDF");
			} else if (!strncmp(words, "group N", 7)) {
				n += sprintf(piece + n, "group %d", group->number);
				words += strlen("group N");
			} else {
				piece[n++] = *words++;
			}
		}
		piece[n] = '\0';
		words += strspn(words, ".");
		text = strstr(text, piece);
		if (text)
			text += n;
	}
	return text;
}

/* Whether what the program has said is what docs/errors.md promises for the first network device */
static void said(const char *when, const char *text, const char *words)
{
	bool found = holds(text, words, nics[0]);

	if (!found)
		report("# not said: %s; but: %s", words, text ? text : "nothing");
	report("dma by=%s when=%s want=reach tried=1 reached=%d", by, when, found);
}

/* QEMU is asked for that device, and refuses in these words */
static void qemu_refused(const char *when, const char *words)
{
	by = over_iommufd ? "qemu,iommufd" : "qemu";
	begin();
	qemu_start(false, false);
	qemu_ready();
	if (qmp(DEVICE_ADD, nics[0]->edus[0].bdf, 1, 0, over_iommufd ? ",\"iommufd\":\"fd\"" : ""))
		die("QEMU takes a device that it should not get");
	said(when, program.heard, words);
	program_say(&program, "{\"execute\":\"quit\"}\n");
	report_end("refused", program_end(&program, 0));
}

static void testpmd_refused(const char *when, const char *words)
{
	/* EAL puts its memory where it overlaps what the IOMMU reserves */
	char *argv[] = { "/bin/dpdk-testpmd", "-l", "0,1", "--no-huge", "-m", "64", "--no-telemetry", "--no-shconf",
		"-d", "/plugins", "--iova-mode=va", "-a", nics[0]->edus[0].bdf, "--base-virtaddr=0x43000000", NULL };

	by = "testpmd";
	begin();
	program_start(&program, argv);
	said(when, program_hear(&program, "No probed ethernet devices", SECONDS), words);
	program_end(&program, SIGKILL);
	report_end("refused", 0);
}

/*
 * What users see of errors that are no invitation to try another domain: one
 * machine cannot remap interrupts, and the IOMMU of another keeps addresses for
 * itself at which the inner guest has memory. Each text is one of docs/errors.md.
 */
static void run_refused(bool reserved)
{
	static const char * const words[][3] = { {
		"BDF failed to select IOMMU type",
		"vfio BDF: failed to setup container for group N: Failed to set iommu for container: Operation not permitted",
		"vfio BDF: error bind device fd=... to iommufd=...: Operation not permitted",
	}, {
		"Cannot set up DMA remapping, error 22 (Invalid argument)",
		"vfio BDF: failed to setup container for group N: memory listener initialization failed: Region ...dma_map(...) = -22 (Invalid argument)",
		"vfio BDF: memory listener initialization failed: Region ...dma_map(...) = -22 (Invalid argument)",
	} };
	const char *when = reserved ? "reserved" : "eperm";

	testpmd_refused(when, words[reserved][0]);
	qemu_refused(when, words[reserved][1]);
	over_iommufd = strstr(getenv("LAB_INTERFACES"), "iommufd");
	if (over_iommufd)
		qemu_refused(when, words[reserved][2]);
}

static void run_qemu(void)
{
	int i, calls = 0;

	/* and once more after the kills */
	for (i = 1; i < STARTS; i++)
		calls = run_assigned(false);
	if (!access("/hugepages", F_OK)) {
		put("/proc/sys/vm/nr_hugepages", "80");
		for (i = 0; i < STARTS; i++)
			run_assigned(true);
		put("/proc/sys/vm/nr_hugepages", "0");
	} else {
		report("skip by=qemu,2M why=the_kernel_has_no_HUGETLBFS");
	}
	run_hotplug();
	run_killed(calls);
	run_kernel();
}

void run_clients(struct group *groups, int count)
{
	int i;

	signal(SIGPIPE, SIG_IGN);
	mkdir("/tmp", 01777);
	if (mount("tmp", "/tmp", "tmpfs", 0, NULL))
		die("mount: %s", strerror(errno));
	for (i = 0; i < count; i++) {
		all[num_all++] = &groups[i];
		if (!groups[i].edus[0].can_dma && num_nics < NICS_MAX)
			nics[num_nics++] = &groups[i];
	}
	if (!strcmp(getenv("LAB_CLIENTS"), "reserved") || !strcmp(getenv("LAB_CLIENTS"), "eperm")) {
		run_refused(!strcmp(getenv("LAB_CLIENTS"), "reserved"));
		return;
	}
	mkdir("/hugepages", 0755);
	if (mount("hugepages", "/hugepages", "hugetlbfs", 0, "pagesize=2M"))
		rmdir("/hugepages");
	run_testpmd();
	run_qemu();
	over_iommufd = strstr(getenv("LAB_INTERFACES"), "iommufd");
	if (over_iommufd)
		run_qemu();
}
