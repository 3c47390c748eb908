// SPDX-License-Identifier: GPL-2.0
/*
 * Everything that the host is to know goes through /dev/kmsg: so it stands in
 * one order with what the kernel says, and no line is torn by another.
 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#define LEVEL_DEBUG	7

static int klog = -1;

static void say(const char *key, const char *format, va_list args)
{
	static int fd = -1;
	char line[512];
	int n;

	if (fd < 0)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	n = snprintf(line, sizeof(line), "<6>%s", key);
	n += vsnprintf(line + n, sizeof(line) - n, format, args);
	if (n >= (int)sizeof(line))
		n = sizeof(line) - 1;
	if (write(fd, line, n) != n)
		abort();
}

void report(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("LAB ", format, args);
	va_end(args);
}

/* Powers off. The console of s390 writes a line when it gets the next one. */
void finish(void)
{
	report("# end");
	report("# powering off");
	sleep(1);
	/* LAB_GCOV of lab/run: prints what was counted, and powers off */
	execl("/gcov", "gcov", NULL);
	reboot(RB_POWER_OFF);
	_exit(1);
}

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("LAB broken ", format, args);
	va_end(args);
	finish();
}

/* From here on the lines of the kernel's log count */
void klog_begin(void)
{
	if (klog < 0)
		klog = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (klog < 0 || lseek(klog, 0, SEEK_END) < 0)
		die("/dev/kmsg: %s", strerror(errno));
}

/* How many lines above debug level the kernel has logged since klog_begin() */
int klog_end(void)
{
	char record[8192];
	unsigned int prio;
	int lines = 0;
	ssize_t n;

	for (;;) {
		n = read(klog, record, sizeof(record) - 1);
		if (n < 0 && errno == EAGAIN)
			return lines;
		if (n <= 0)
			die("/dev/kmsg overran: %s", strerror(errno));
		record[n] = '\0';
		/* opening a device and a slow machine are no matter of attaching, and an error that ends it may be said */
		if (strstr(record, ": enabling device (") || strstr(record, "No interrupt remapping support") ||
		    strstr(record, ": MSI interrupts are not secure") || strstr(record, ": resetting") ||
		    strstr(record, ": reset done") || strstr(record, ";random: crng init done") ||
		    strstr(record, ";hrtimer: interrupt took ") || strstr(record, ";clocksource: ") || strstr(record, ";tsc: ") ||
		    strstr(record, ": unlocked secondary bus reset via: "))
			continue;
		/* the facility of the kernel's own lines is 0 */
		if (sscanf(record, "%u", &prio) == 1 && prio < LEVEL_DEBUG)
			lines++;
	}
}
