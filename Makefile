# SPDX-License-Identifier: GPL-2.0
#
# The front door: one verb per program. Variables: BASE= the queue, SRC= a kernel
# of your own, ARCH=, TOOL=, DRIVER= a KUnit glob, MUTANT= a glob, MACHINE= a lab machine,
# TOPIC=, SIGNOFF=1, FROM='Name <mail>', REVISION=2, FLAVOUR= of Debian's kernel or CONFIG= a file.

MACHINE ?= two-virtio-iommu

# Verbs build in the same folders; where two run in two terminals, one waits.
.NOTPARALLEL:
.PHONY: help setup tree export demo check kunit lab audit mutate coverage lint cocci analyse bisect mbox docs deb lava kselftest stress bench clean
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

stress: setup	## all kselftests under KASAN and KCSAN, 130,000 random operations, and the base compared
	@scripts/stress

lab: setup	## run one lab machine, unpatched and patched [MACHINE=]
	@lab/run --compare $(MACHINE)

bench: setup	## what an attach costs: unpatched, patched, and 7.3; redraws bench/
	@bench/run

audit: setup	## hold AUDIT.md against the queue, and add it up per driver
	@scripts/audit

mutate: setup	## break the patched kernel on purpose: the tests must notice [ARCH= DRIVER= MUTANT=glob]
	@scripts/mutate

coverage: setup	## which of the touched lines the tests execute [ARCH=]
	@scripts/coverage

lint: setup	## git am, checkpatch, whitespace, subject, body, diffstat, kernel-doc for every patch
	@scripts/lint

cocci: setup	## the queue's semantic patches on the unpatched and the patched drivers
	@scripts/cocci

analyse:	## gcc, clang, sparse, coccicheck, ... on what the queue touches, before and after [ARCH= TOOL=]
	@scripts/setup clang-16 lld-16 llvm-16 coccinelle ocaml-nox
	@scripts/analyse

bisect: setup	## build and test after every single patch; goes on where it was stopped [ARCH=]
	@scripts/bisect-build

mbox: setup	## build/mbox/TOPIC.mbox: a topic as mail; sends nothing [TOPIC= FROM= SIGNOFF=1 REVISION=]
	@scripts/mbox

docs: setup	## build the touched books of Documentation/ without new warnings (minutes)
	@scripts/setup docs
	@scripts/docs

deb: setup	## build/deb: Debian packages of the patched kernel (hours) [FLAVOUR= CONFIG=]
	@scripts/setup deb
	@scripts/deb

lava: setup	## build/lava: LAVA jobs for the lab machines and for a board [ARTIFACTS= DEVICE_TYPE= RUN=job]
	@[ -z "$(RUN)" ] || scripts/setup lava
	@RUN="$(RUN)" scripts/lava

clean:	## remove build/, unless a tree there holds work that was not exported
	@scripts/clean
