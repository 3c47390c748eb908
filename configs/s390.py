# SPDX-License-Identifier: GPL-2.0-only
#
# For kunit.py --qemu_config: its own s390 machine, and a PCI function, which the
# tests of s390-iommu attach for real. zPCI works without KVM.
#
# The options are in configs/s390.config, as for the other architectures.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='s390',
			   kconfig='CONFIG_PCI=y',
			   qemu_arch='s390x',
			   kernel_path='arch/s390/boot/bzImage',
			   kernel_command_line='console=ttyS0',
			   extra_qemu_params=['-machine', 's390-ccw-virtio',
					      '-cpu', 'qemu',
					      '-device', 'virtio-rng-pci'])
