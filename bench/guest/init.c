// SPDX-License-Identifier: GPL-2.0
/*
 * /init for the scriptable IOMMU: mounts what the benchmark wants, sets memory
 * aside for it, runs it with the arguments that follow -- on the kernel's
 * command line, says how it ended and powers off.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUGE_PAGES	"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

static const char * const mounts[][2] = {
	{ "devtmpfs", "/dev" },
	{ "proc", "/proc" },
	{ "sysfs", "/sys" },
	{ "debugfs", "/sys/kernel/debug" },
};

int main(int argc, char **argv)
{
	struct utsname uts;
	unsigned int i;
	int fd, status;

	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i][1], 0755);
		if (mount(mounts[i][0], mounts[i][1], mounts[i][0], 0, NULL))
			printf("mount %s: %s\n", mounts[i][1], strerror(errno));
	}
	freopen("/dev/console", "w", stdout);
	freopen("/dev/console", "w", stderr);
	fd = open(HUGE_PAGES, O_WRONLY);
	if (fd < 0 || write(fd, "512", 3) != 3)
		printf("%s: %s\n", HUGE_PAGES, strerror(errno));
	close(fd);

	uname(&uts);
	printf("BENCH kernel %s\n", uts.release);
	fflush(stdout);
	argv[0] = "vfio_attach_bench";
	if (!fork()) {
		execv("/vfio_attach_bench", argv);
		_exit(127);
	}
	wait(&status);
	printf("BENCH done %d\n", status);
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
