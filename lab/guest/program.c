// SPDX-License-Identifier: GPL-2.0
/* A program that is told what to do on its standard input, and answers */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* The program's last words, so that the host can see why it gave up */
static void report_words(struct program *program)
{
	char *line, *rest = program->text;

	program->text[program->len] = '\0';
	if (program->len > 2000)
		rest += program->len - 2000;
	while ((line = strsep(&rest, "\r\n")))
		if (*line)
			report("# %s", line);
}

void program_start(struct program *program, char *const argv[])
{
	int in[2], out[2];

	memset(program, 0, sizeof(*program));
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		die("pipe: %s", strerror(errno));
	program->pid = fork();
	if (program->pid < 0)
		die("fork: %s", strerror(errno));
	if (!program->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		/* What is not a terminal would get lines late, and out of order */
		setenv("LD_PRELOAD", "/lib/libstdbuf.so", 1);
		setenv("_STDBUF_O", "L", 1);
		execv(argv[0], argv);
		printf("%s: %s\n", argv[0], strerror(errno));
		exit(1);
	}
	close(in[0]);
	close(out[1]);
	program->name = strrchr(argv[0], '/') + 1;
	program->in = in[1];
	program->out = out[0];
}

void program_say(struct program *program, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vdprintf(program->in, format, args) < 0)
		die("%s does not listen: %s", program->name, strerror(errno));
	va_end(args);
}

/* Waits for text, and returns what came until then, or NULL when the program ends */
char *program_hear(struct program *program, const char *text, int seconds)
{
	long long until = now_ms() + seconds * 1000LL;
	struct pollfd fd = { .fd = program->out, .events = POLLIN };
	char *found;
	ssize_t n;

	for (;;) {
		program->text[program->len] = '\0';
		found = strstr(program->text, text);
		if (found)
			break;
		/* What is that long is read by nobody */
		if (program->len > sizeof(program->text) / 2) {
			program->len /= 2;
			memmove(program->text, program->text + program->len, program->len);
		}
		if (now_ms() > until || poll(&fd, 1, until - now_ms()) <= 0) {
			report_words(program);
			die("%s does not say '%s' in %d s", program->name, text, seconds);
		}
		n = read(program->out, program->text + program->len,
			 sizeof(program->text) - program->len - 1);
		if (n <= 0) {
			report_words(program);
			return NULL;
		}
		program->len += n;
	}
	n = found - program->text;
	memcpy(program->heard, program->text, n);
	program->heard[n] = '\0';
	n += strlen(text);
	program->len -= n;
	memmove(program->text, program->text + n, program->len);
	return program->heard;
}

/* Waits until the program has ended, if need be by a signal; returns its status */
int program_end(struct program *program, int signal)
{
	char rest[512];
	int status;

	if (signal)
		kill(program->pid, signal);
	close(program->in);
	/* Nobody waits for a full pipe */
	while (read(program->out, rest, sizeof(rest)) > 0)
		;
	close(program->out);
	if (waitpid(program->pid, &status, 0) != program->pid)
		die("%s: %s", program->name, strerror(errno));
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}
