# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2054,SC2154 # shared with lab/run
#
# $instances SMMUv3, each in front of its own PCI host bridge, booted with UEFI
# and ACPI: QEMU describes them all there. It needs a QEMU that has arm-smmuv3
# as a device; where the system's has not, a newer one is unpacked beside it.

about="$instances SMMUv3, QEMU with -device arm-smmuv3, ACPI"
arch=arm64
long=true # a newer QEMU may have to be fetched: not in make check
name=arm-smmu-v3

firmware=(-L /usr/share/qemu-efi-aarch64 -bios QEMU_EFI.fd)

machine() {
	local i

	find_qemu || return 1
	qemu+=(-M virt,gic-version=3 -cpu cortex-a57
	       -device arm-smmuv3,id=smmu.0,primary-bus=pcie.0)
	for ((i = 1; i < instances; i++)); do
		qemu+=(-device "pxb-pcie,id=pcie.$i,bus=pcie.0,bus_nr=$((i * 32))"
		       -device "arm-smmuv3,id=smmu.$i,primary-bus=pcie.$i")
	done
	devices || return
	boot=("${firmware[@]}")
}

devices() {
	local i

	edu pcie.0 1
	edu pcie.0 2
	for ((i = 1; i < instances; i++)); do
		edu pcie.$i $((1 + i % 3))
	done
}

# Starts the binary to see what it takes; versions say less. It ends when it has
# replaced the file that it dumps to, which so must not be a device.
takes_several() {
	"$1" -M virt,gic-version=3,dumpdtb="$work/probe.dtb" "${common[@]}" \
		"${firmware[@]}" -device arm-smmuv3,primary-bus=pcie.0 2>/dev/null
}

# Sets qemu to a binary that takes several, or skip to why there is none
find_qemu() {
	local binary

	for binary in ${LAB_QEMU:+"$LAB_QEMU"} qemu-system-aarch64; do
		if takes_several "$binary"; then
			qemu=("$binary")
			return
		fi
		say "$binary has no arm-smmuv3 device that takes a bus"
	done
	if ! binary=$("$lab/newer-qemu" "$ROOT/build/qemu"); then
		skip=$binary
	elif ! takes_several "$binary"; then
		skip="$("$binary" -version | head -n 1) does not take several"
	else
		qemu=("$binary")
		return
	fi
	return 1
}
