# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2153,SC2154 # shared with lab/run
#
# What users run, on two IOMMUs that do not take each other's domains: DPDK's testpmd and
# QEMU, with three network devices, of which two are behind the first IOMMU, and
# an edu behind each. The machine that has the IOMMUs is sourced before this.

long=true # packages have to be fetched: not in make check
memory=2G
seconds=1500
# QEMU runs all of it once more
[[ $INTERFACES != *iommufd* ]] || seconds=3600
model=${MODEL:-linux-6.1}

devices() {
	edu pcie.0 1
	edu pcie.1 1
	nic pcie.0 0
	nic pcie.0 1
	nic pcie.1 2
	# Inside QEMU memory is where a mask of 28 bits does not reach
	qemu+=(-global edu.dma_mask=0xffffffffffffffff)
	programs all
}

# nic BUS N: adds a network device behind a root port, all on one wire
nic() {
	qemu+=(-device "pcie-root-port,id=port.$slot,bus=$1,chassis=$slot"
	       -netdev "hubport,id=net$2,hubid=0"
	       -device "e1000e,netdev=net$2,bus=port.$slot,mac=52:54:00:00:00:0$2")
	slot=$((slot + 1))
}

# programs SCENARIO: what the guest runs
programs() {
	local suite=bookworm

	cmdline+=" LAB_CLIENTS=$1"
	# Debian 12's QEMU knows nothing of iommufd
	[[ $INTERFACES != *iommufd* ]] || suite=trixie
	root=$ROOT/build/clients/$suite/root
	[ -z "${LAB_PRINT:-}" ] || return 0
	skip=$("$lab/userspace" $suite "${root%/root}") || return
	inside="; inside: $(paste -sd, "${root%/root}/versions")"
}
