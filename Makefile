# SPDX-License-Identifier: GPL-2.0
#
# The front door: one verb per program. Variables: BASE= the queue, SRC= a kernel
# of your own, ARCH=, DRIVER= a KUnit glob, MACHINE= a lab machine, TOPIC=, SIGNOFF=1.

MACHINE ?= two-virtio-iommu
export BASE SRC ARCH DRIVER TOPIC SIGNOFF

.PHONY: help setup tree export demo check kunit kselftest lab bench audit lint bisect mbox clean
help:	## this list
	@sed -nE 's/^([a-z]+):.*##/  make \1 -/p' Makefile

setup:	## install the Debian packages that the rest needs
	@scripts/setup

tree: setup	## build/BASE: the kernel with the queue applied, a branch per topic [BASE= SRC=]
	@scripts/tree

export:	## write the queue back from build/BASE
	@scripts/export

demo: setup	## two devices behind two IOMMUs in one container, unpatched and patched
	@lab/run --compare two-virtio-iommu

check:	## everything that must hold: apply, round trip, lint, KUnit, lab
	@scripts/check

kunit: setup	## run the KUnit tests [ARCH= DRIVER=glob]
	@scripts/kunit

kselftest: setup	## run the kselftests over the scriptable IOMMU, under the kernel's checkers [VARIANT=]
	@scripts/kselftest patched $(VARIANT)

lab: setup	## run one lab machine, unpatched and patched [MACHINE=]
	@lab/run --compare $(MACHINE)

bench: setup	## what an attach costs: unpatched, patched, and 7.3; redraws bench/
	@bench/run

audit: setup	## hold AUDIT.md against the queue, and add it up per driver
	@scripts/audit

lint: setup	## checkpatch, whitespace, kernel-doc for every patch
	@scripts/lint

bisect: setup	## build after every single patch [ARCH=]
	@scripts/bisect-build

mbox: setup	## build/mbox/TOPIC.mbox: a topic as mail; sends nothing [TOPIC= SIGNOFF=1]
	@scripts/mbox

clean:	## remove build/, unless a tree there holds work that was not exported
	@scripts/clean
