// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU's edu device (docs/specs/edu): a DMA engine between memory and a buffer
 * of its own. One transfer takes it 100 ms, so callers start all devices before
 * they wait for any.
 */
#include "lab.h"

#include <time.h>

#define DMA_SOURCE	0x80
#define DMA_DESTINATION	0x88
#define DMA_COUNT	0x90
#define DMA_COMMAND	0x98
#define COMMAND_START	0x1
#define COMMAND_TO_RAM	0x2
#define BUFFER		0x40000

static void edu_set(struct edu *edu, unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(edu->bar + reg) = value;
}

static void edu_start(struct edu *edu, uint64_t from, uint64_t to, uint64_t cmd)
{
	edu_set(edu, DMA_SOURCE, from);
	edu_set(edu, DMA_DESTINATION, to);
	edu_set(edu, DMA_COUNT, DMA_BYTES);
	edu_set(edu, DMA_COMMAND, cmd | COMMAND_START);
}

/* Starts a transfer from memory into the device's buffer */
void edu_read_memory(struct edu *edu, uint64_t iova)
{
	edu_start(edu, iova, BUFFER, 0);
}

/* Starts a transfer from the device's buffer to memory */
void edu_write_memory(struct edu *edu, uint64_t iova)
{
	edu_start(edu, BUFFER, iova, COMMAND_TO_RAM);
}

void edu_wait(struct edu *edu)
{
	volatile uint64_t *command = (uint64_t *)(edu->bar + DMA_COMMAND);
	struct timespec pause = { .tv_nsec = 5000000 };
	int tries = 2000;

	while (*command & COMMAND_START) {
		if (!tries--)
			die("%s: a transfer does not end", edu->bdf);
		nanosleep(&pause, NULL);
	}
}
