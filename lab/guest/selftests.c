// SPDX-License-Identifier: GPL-2.0
/* The kernel's own VFIO selftests, on the first network device: a line for each test */
#include "lab.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER		"/selftests"
#define SECONDS		120

static int is_program(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run(const char *name, const char *bdf)
{
	static struct program program;
	char path[300], test[128], bad[4];
	char *argv[] = { path, (char *)bdf, NULL };
	char *line;
	int status;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	program_start(&program, argv);
	while ((line = program_hear(&program, "\n", SECONDS))) {
		bad[0] = '\0';
		if (sscanf(line, "ok %*d %127s", test) == 1 || sscanf(line, "%3[not] ok %*d %127s", bad, test) == 2)
			report("selftest program=%s test=%s result=%s", name, test,
			       bad[0] ? "not_ok" : strstr(line, "# SKIP") ? "skip" : "ok");
		else
			report("# %s", line);
	}
	/* Tests that a program does not come to have no line, and kselftest says what 4 means */
	status = program_end(&program, 0);
	report("# %s ends with %d", name, status);
	report("selftest program=%s test=exit result=%s", name, !status ? "ok" : status == 4 ? "skip" : status < 0 ? "killed" : "not_ok");
}

void run_selftests(struct group *groups, int count)
{
	struct dirent **entries;
	int i, n;

	if (!count)
		die("there is no device to test with");
	n = scandir(FOLDER, &entries, is_program, alphasort);
	if (n <= 0)
		die("there is nothing in " FOLDER);
	for (i = 0; i < n; i++)
		run(entries[i]->d_name, groups[0].edus[0].bdf);
}
