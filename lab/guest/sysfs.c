// SPDX-License-Identifier: GPL-2.0
/* Small files and links below /sys: a lab that cannot read them is broken. */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool try_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return done;
}

void put(const char *path, const char *text)
{
	if (!try_put(path, text))
		die("cannot write %s to %s: %s", text, path, strerror(errno));
}

/* The last part of where a link leads */
void link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		die("%s: %s", path, strerror(errno));
	target[n] = '\0';
	snprintf(name, size, "%s", basename(target));
}

int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (!dir)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}
