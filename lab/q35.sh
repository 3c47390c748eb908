# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # shared with lab/run
#
# A q35 with the IOMMU in $iommu, on the QEMU that Debian 12 has: the device, and
# what the kernel has to be told. Such a machine takes one IOMMU, so no domain is
# ever refused: what it shows is that attaching works, what it costs and that the
# IOMMU does what it was told.

arch=x86_64
instances=1

machine() {
	qemu=(qemu-system-x86_64 -M q35 -cpu max -device "$iommu")
	devices || return
	# VFIO wants interrupts remapped, or to be told that it does not matter
	cmdline+=" vfio_iommu_type1.allow_unsafe_interrupts=1 iommufd.allow_unsafe_interrupts=1${parameter:+ $parameter}"
}

devices() {
	edu pcie.0 1
	edu pcie.0 2
}
