# SPDX-License-Identifier: GPL-2.0-only
#
# For kunit.py --qemu_config. The kernel's own qemu_configs/powerpc.py is for
# pseries, 64 bit, on which no Freescale IOMMU (FSL_PAMU) can be built: that
# needs an e500mc. ppce500 is the one machine of QEMU that has it.
#
# The options are in configs/powerpc.config, as for the other architectures;
# here are those without which this machine would say nothing.
from ..qemu_config import QemuArchParams

QEMU_ARCH = QemuArchParams(linux_arch='powerpc',
			   kconfig='''
CONFIG_PPC_85xx=y
CONFIG_FSL_SOC_BOOKE=y
CONFIG_PPC_E500MC=y
CONFIG_PHYS_64BIT=y
CONFIG_PPC_QEMU_E500=y
CONFIG_SERIAL_8250=y
CONFIG_SERIAL_8250_CONSOLE=y''',
			   qemu_arch='ppc',
			   kernel_path='vmlinux',
			   kernel_command_line='console=ttyS0',
			   extra_qemu_params=['-M', 'ppce500', '-cpu', 'e500mc'])
