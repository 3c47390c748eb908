# SPDX-License-Identifier: GPL-2.0
#
# The front door: one verb per program. Variables: BASE= the queue, SRC= a kernel
# of your own, ARCH=, TOOL=, DRIVER= a KUnit glob, MUTANT= a glob, MACHINE= a lab machine,
# TOPIC=, SIGNOFF=1, FROM='Name <mail>', REVISION=2, PREVIOUS= mbox or range, IN_REPLY_TO=, MINUTES=, FLAVOUR= of Debian's kernel or CONFIG= a file.

MACHINE ?= two-virtio-iommu

# Verbs build in the same folders; where two run in two terminals, one waits.
.NOTPARALLEL:
.PHONY: help setup tree carry export demo check kunit in-tree lab audit mutate coverage lint cocci analyse bisect mbox docs deb lava selftest kselftest iommufd stress bench results clean
help:	## this list
	@sed -nE 's/^([a-z-]+):.*##/  make \1 -/p' Makefile

setup:	## install the Debian packages that make check needs; each other verb installs its own
	@scripts/setup

tree:	## build/BASE/linux: the kernel with the queue applied, a branch per topic [BASE= SRC=]
	@scripts/setup tree
	@scripts/tree

carry:	## copy the files that SHARED lists from another queue's tree [FROM= BASE=]
	@scripts/carry

export:	## write the queue back from build/BASE/linux
	@scripts/setup export
	@scripts/export

demo:	## two devices behind two IOMMUs in one container, unpatched and patched
	@ARCH=arm64 scripts/setup kernel
	@lab/run --compare two-virtio-iommu

check:	## everything that must hold, for all queues or one [BASE=; FRESH=1: also steps that passed on the same input; MINUTES=: begin no step later]
	@scripts/check

selftest:	## what the scripts promise about a user's work, on a made-up kernel (minutes)
	@ARCH=x86_64 scripts/setup lint mbox kernel
	@scripts/selftest

kunit:	## run the KUnit tests [ARCH= DRIVER=glob VARIANT=kasan|in-tree|each]
	@scripts/setup kunit
	@VARIANT="$(VARIANT)" scripts/kunit

in-tree:	## the tests as a maintainer runs them, with no file of ours, and where they must skip [ARCH=]
	@ARCH="$(or $(ARCH),x86_64 arm64)" scripts/setup kernel
	@scripts/in-tree

kselftest:	## run the kselftests over the scriptable IOMMU, under the kernel's checkers [ARCH= VARIANT=]
	@ARCH=$(or $(ARCH),x86_64) scripts/setup kernel
	@scripts/kselftest patched $(VARIANT)

iommufd:	## iommufd's own kselftests, on the unpatched and on the patched kernel: BASE=linux-7.3.y
	@ARCH=arm64 scripts/setup kernel
	@scripts/iommufd

stress:	## all kselftests under KASAN and KCSAN, 150,000 random operations, and the base compared
	@ARCH="x86_64 arm64" scripts/setup kernel
	@scripts/stress

lab:	## run one lab machine, unpatched and patched [MACHINE=, clients for QEMU and DPDK; lab/run lists them]
	@ARCH=$$(bash -c 'lab=lab; . "lab/machines/$(MACHINE)"; echo "$$arch"') scripts/setup kernel
	@lab/run --compare $(MACHINE)

bench:	## what an attach costs on 6.1 and 7.3, unpatched and patched; redraws bench/ [KERNELS=]
	@scripts/setup bench
	@bench/run

audit:	## hold the audit against the queue and the last make kunit, and add it up per driver
	@scripts/setup audit
	@scripts/audit
	@scripts/rules

mutate:	## break the patched kernel on purpose: the tests must notice [ARCH= DRIVER= MUTANT=glob SINCE=commit]
	@scripts/setup kernel
	@scripts/mutate

coverage:	## which of the touched lines the tests execute [ARCH=]
	@scripts/setup coverage
	@scripts/coverage

lint:	## git am, checkpatch, whitespace, subject, body, diffstat, kernel-doc for every patch
	@scripts/setup lint
	@scripts/lint

cocci:	## the queue's semantic patches on the unpatched and the patched drivers
	@scripts/setup cocci
	@scripts/cocci

analyse:	## gcc, clang, sparse, coccicheck, ... on what the queue touches, before and after [ARCH= TOOL=]
	@scripts/setup analyse clang
	@scripts/analyse

bisect:	## build and test after every single patch; goes on where it was stopped [ARCH= NEEDS=1: topics on what they need]
	@scripts/setup kernel
	@scripts/bisect-build

results:	## RESULTS.md, from what the last full runs recorded
	@scripts/setup audit
	@scripts/results

mbox:	## build/BASE/mbox/TOPIC.mbox: a topic as mail; sends nothing [TOPIC= FROM= SIGNOFF=1 REVISION= PREVIOUS= IN_REPLY_TO=]
	@scripts/setup mbox
	@scripts/mbox

docs:	## build the touched books of Documentation/ without new warnings (minutes)
	@scripts/setup docs
	@scripts/docs

deb:	## build/BASE/deb: Debian packages of the patched kernel (hours) [FLAVOUR= CONFIG=]
	@scripts/setup deb
	@scripts/deb

lava:	## build/BASE/lava: LAVA jobs for the lab machines and for a board [ARTIFACTS= DEVICE_TYPE= RUN=job]
	@scripts/setup lava $(if $(RUN),lava-run)
	@RUN="$(RUN)" scripts/lava

clean:	## remove build/, unless it holds work that was not exported, or results that are not in RESULTS.md
	@scripts/clean
