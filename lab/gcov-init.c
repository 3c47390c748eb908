// SPDX-License-Identifier: GPL-2.0
/*
 * What runs as /init in 'make coverage', after the KUnit tests: prints all that
 * gcov has counted in the kernel, as base64, since every machine has a console.
 */
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static int failed;

static void print_base64(const unsigned char *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char line[77], *c = line;

	for (; len; data += 3, len -= len < 3 ? len : 3) {
		unsigned long bits = data[0] << 16;

		if (len > 1)
			bits |= data[1] << 8;
		if (len > 2)
			bits |= data[2];
		*c++ = digits[bits >> 18];
		*c++ = digits[bits >> 12 & 63];
		*c++ = len > 1 ? digits[bits >> 6 & 63] : '=';
		*c++ = len > 2 ? digits[bits & 63] : '=';
	}
	*c = 0;
	puts(line);
}

static int print_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	unsigned char data[57];
	size_t len;
	FILE *f;

	len = strlen(path);
	if (type != FTW_F || len < 5 || strcmp(path + len - 5, ".gcda"))
		return 0;
	f = fopen(path, "r");
	if (!f) {
		perror(path);
		failed = 1;
		return 0;
	}
	printf("gcda-begin %s\n", path);
	while ((len = fread(data, 1, sizeof(data), f)) > 0)
		print_base64(data, len);
	puts("gcda-end");
	fclose(f);
	return 0;
}

int main(void)
{
	/* The kernel must not speak in between */
	klogctl(6, NULL, 0);
	mkdir("/debug", 0700);
	if (mount("debugfs", "/debug", "debugfs", 0, NULL)) {
		perror("debugfs");
		failed = 1;
	} else if (nftw("/debug/gcov", print_file, 16, FTW_PHYS)) {
		perror("/debug/gcov");
		failed = 1;
	}
	puts(failed ? "gcda-failed" : "gcda-complete");
	fflush(stdout);
	tcdrain(1);
	sleep(1);
	reboot(RB_AUTOBOOT);
	return 1;
}
