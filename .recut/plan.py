import re
VF='drivers/iommu/virtio-iommu.c'; V3='drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c'; SM='drivers/iommu/arm/arm-smmu/arm-smmu.c'
QC='drivers/iommu/arm/arm-smmu/qcom_iommu.c'; IN='drivers/iommu/intel/iommu.c'; AM='drivers/iommu/amd/iommu.c'
# one replacement: (old, new) or a list of alternatives [(old, new), ...]; None: may match nothing
E_V3=[
 ('XA_LIMIT(1, (1 << smmu->asid_bits) - 1), GFP_KERNEL);\n\tif (ret)',
  'XA_LIMIT(1, (1 << smmu->asid_bits) - 1), GFP_KERNEL);\n\t/* The xarray returns -EBUSY for a full range; callers expect -ENOSPC */\n\tif (ret == -EBUSY)\n\t\tret = -ENOSPC;\n\tif (ret)'),
 ('\tdefault:\n\t\treturn -EINVAL;\n\t}\n\n\tpgtbl_cfg','\tdefault:\n\t\t/* Not reached: only an identity domain is ever BYPASS */\n\t\treturn -ENODEV;\n\t}\n\n\tpgtbl_cfg'),
 ('\tpgtbl_ops = alloc_io_pgtable_ops(','\t/*\n\t * io-pgtable does not distinguish lack of memory from a configuration\n\t * that it does not support. No other domain would help in either case.\n\t */\n\tpgtbl_ops = alloc_io_pgtable_ops('),
 ('\tif (!fwspec)\n\t\treturn -ENOENT;','\tif (!fwspec)\n\t\treturn -ENODEV;'),
 ('\t\tdev_err(dev,\n\t\t\t"cannot attach to SMMU %s (upstream of %s)\\n",','\t\tdev_dbg(dev, "cannot attach to SMMU %s (upstream of %s)\\n",'),
 ('\t\tret = -ENXIO;\n\t\tgoto out_unlock;\n\t} else if','\t\tret = -EINVAL;\n\t\tgoto out_unlock;\n\t} else if'),
 ('\t\tdev_err(dev,\n\t\t\t"cannot attach to incompatible','\t\tdev_dbg(dev,\n\t\t\t"cannot attach to incompatible'),
 ('dev_err(dev, "cannot attach to stall','dev_dbg(dev, "cannot attach to stall'),
]
E_SM=[
 ('ARM_SMMU_CTX_FMT_NONE) {\n\t\tret = -EINVAL;','ARM_SMMU_CTX_FMT_NONE) {\n\t\t/* The SMMU has no format that this kernel supports */\n\t\tret = -ENODEV;'),
 ('\tdefault:\n\t\tret = -EINVAL;\n\t\tgoto out_','\tdefault:\n\t\t/* Not reached: only an identity domain is ever BYPASS */\n\t\tret = -ENODEV;\n\t\tgoto out_'),
 ('\tpgtbl_ops = alloc_io_pgtable_ops(','\t/*\n\t * io-pgtable does not distinguish lack of memory from a configuration\n\t * that it does not support. Another domain would help only if the owner\n\t * of this one asked for quirks, and then the owner has to get an error.\n\t */\n\tpgtbl_ops = alloc_io_pgtable_ops('),
 ('same bus?\\n");\n\t\treturn -ENXIO;','same bus?\\n");\n\t\treturn -ENODEV;'),
 ('\tret = arm_smmu_rpm_get(smmu);\n\tif (ret < 0)\n\t\treturn ret;\n\n\t/* Ensure','\t/* After a failure, runtime PM returns -EINVAL for any domain */\n\tret = arm_smmu_rpm_get(smmu);\n\tif (ret < 0) {\n\t\tdev_err(dev, "SMMU %s cannot be resumed: %d\\n",\n\t\t\tdev_name(smmu->dev), ret);\n\t\treturn ret == -EINVAL ? -ENODEV : ret;\n\t}\n\n\t/* Ensure'),
 ('\t\tdev_err(dev,\n\t\t\t"cannot attach to SMMU %s whilst already attached to domain on SMMU %s\\n",\n\t\t\tdev_name(smmu_domain->smmu->dev), dev_name(smmu->dev));',
  '\t\tdev_dbg(dev,\n\t\t\t"cannot attach to SMMU %s whilst already attached to domain on SMMU %s\\n",\n\t\t\tdev_name(smmu->dev), dev_name(smmu_domain->smmu->dev));'),
]
E_QC=[
 [('\t\tdev_err(dev, "cannot attach to IOMMU %s while already "\n\t\t\t"attached to domain on IOMMU %s\\n",\n\t\t\tdev_name(qcom_domain->iommu->dev),\n\t\t\tdev_name(qcom_iommu->dev));',
   '\t\tdev_dbg(dev,\n\t\t\t"cannot attach to IOMMU %s while already attached to domain on IOMMU %s\\n",\n\t\t\tdev_name(qcom_iommu->dev),\n\t\t\tdev_name(qcom_domain->iommu->dev));'),
  ('\t\tdev_err(dev,\n\t\t\t"cannot attach to IOMMU %s while already attached to domain on IOMMU %s\\n",\n\t\t\tdev_name(qcom_domain->iommu->dev),\n\t\t\tdev_name(qcom_iommu->dev));',
   '\t\tdev_dbg(dev,\n\t\t\t"cannot attach to IOMMU %s while already attached to domain on IOMMU %s\\n",\n\t\t\tdev_name(qcom_iommu->dev),\n\t\t\tdev_name(qcom_domain->iommu->dev));')],
 ('same bus?\\n");\n\t\treturn -ENXIO;','same bus?\\n");\n\t\treturn -ENODEV;'),
 ('\tpgtbl_ops = alloc_io_pgtable_ops(','\t/* The configuration is constant: this only fails for lack of memory */\n\tpgtbl_ops = alloc_io_pgtable_ops('),
 [('secure init failed: %d\\n", ret);\n\t\t\t\tgoto','secure init failed: %d\\n", ret);\n\t\t\t\t/* It is -EINVAL for every result that qcom_scm does not know */\n\t\t\t\tif (ret == -EINVAL)\n\t\t\t\t\tret = -ENODEV;\n\t\t\t\tgoto'),
  ("\t\t\t\t/* The firmware's own result is not an errno */\n\t\t\t\tif (ret > 0)\n","\t\t\t\t/*\n\t\t\t\t * The firmware's own result is not an errno, and\n\t\t\t\t * qcom_scm returns -EINVAL for every result that it\n\t\t\t\t * does not know. Neither is about the domain.\n\t\t\t\t */\n\t\t\t\tif (ret > 0 || ret == -EINVAL)\n"),
  ("\t\t\t/* The firmware's own result is not an errno */\n\t\t\treturn ret < 0 ? ret : -ENODEV;","\t\t\t/*\n\t\t\t * The firmware's own result is not an errno, and\n\t\t\t * qcom_scm returns -EINVAL for every result that it\n\t\t\t * does not know. Neither is about the domain.\n\t\t\t */\n\t\t\treturn ret < 0 && ret != -EINVAL ? ret : -ENODEV;")],
 [('\tret = pm_runtime_resume_and_get(qcom_iommu->dev);\n\tif (ret < 0)\n\t\treturn ret;\n\n\t/* Ensure','\t/* After a failure, runtime PM returns -EINVAL for any domain */\n\tret = pm_runtime_resume_and_get(qcom_iommu->dev);\n\tif (ret < 0) {\n\t\tdev_err(dev, "IOMMU %s cannot be resumed: %d\\n",\n\t\t\tdev_name(qcom_iommu->dev), ret);\n\t\treturn ret == -EINVAL ? -ENODEV : ret;\n\t}\n\n\t/* Ensure'),None],
]
E_AM=[
 ('\t\tret = -EINVAL;\n\n\t\t/*\n\t\t * In case of using','\t\t/*\n\t\t * In case of using'),
 [('def_domain->type != IOMMU_DOMAIN_IDENTITY) {\n\t\t\tgoto out;','def_domain->type != IOMMU_DOMAIN_IDENTITY) {\n\t\t\tret = -EINVAL;\n\t\t\tgoto out;'),
  ('def_domain->type != IOMMU_DOMAIN_IDENTITY)) {\n\t\t\tgoto out;','def_domain->type != IOMMU_DOMAIN_IDENTITY)) {\n\t\t\tret = -EINVAL;\n\t\t\tgoto out;')],
 ('\t\t\tif (pdev_pri_ats_enable(pdev) != 0)\n\t\t\t\tgoto out;','\t\t\tret = pdev_pri_ats_enable(pdev);\n\t\t\tif (ret)\n\t\t\t\tgoto out;'),
 ('\tif (!check_device(dev))\n\t\treturn -EINVAL;','\tif (!check_device(dev))\n\t\treturn -ENODEV;'),
 ('\tiommu = rlookup_amd_iommu(dev);\n\tif (!iommu)\n\t\treturn -EINVAL;','\tiommu = rlookup_amd_iommu(dev);\n\tif (!iommu)\n\t\treturn -ENODEV;'),
]
E_IN=[
 ('\tif (dmar_domain->force_snooping && !ecap_sc_support(iommu->ecap))\n\t\treturn -EOPNOTSUPP;','\tif (dmar_domain->force_snooping && !ecap_sc_support(iommu->ecap))\n\t\treturn -EINVAL;'),
 ('\t\tdev_err(dev, "%s: iommu width (%d) is not "\n\t\t        "sufficient for the mapped address (%llx)\\n",\n\t\t        __func__, addr_width, dmar_domain->max_addr);\n\t\treturn -EFAULT;',
  '\t\tdev_dbg(dev, "iommu width (%d) is not sufficient for the mapped address (%llx)\\n",\n\t\t\taddr_width, dmar_domain->max_addr);\n\t\treturn -EINVAL;'),
]
IN_FL=('\t/* check if this iommu agaw is sufficient for max mapped address */\n\tif (dmar','\t/* First-level addresses are sign-extended, which takes one bit */\n\tif (domain_use_first_level(dmar_domain))\n\t\taddr_width--;\n\n\t/* check if this iommu agaw is sufficient for max mapped address */\n\tif (dmar')
E_VF=[
 ('\t\tdev_err(dev, "cannot attach to foreign vIOMMU\\n");\n\t\tret = -EXDEV;','\t\tret = -EINVAL;'),
 ('\t\t\tviommu_page_size, PAGE_SIZE);\n\t\treturn -EINVAL;','\t\t\tviommu_page_size, PAGE_SIZE);\n\t\t/* Every domain of this viommu has this granule */\n\t\treturn -ENODEV;'),
 ('\t\t\treturn -EOPNOTSUPP;\n','\t\t\treturn ret;\n'),
 [('\t\tret = viommu_send_req_sync(vdomain->viommu, &req, sizeof(req));\n\t\tif (ret)\n\t\t\treturn ret;','\t\tret = viommu_send_req_sync(vdomain->viommu, &req, sizeof(req));\n\t\t/* The endpoints on this domain may be the reason */\n\t\tif (ret == -ENOSYS && vdomain->nr_endpoints)\n\t\t\tret = -EINVAL;\n\t\tif (ret)\n\t\t\treturn ret;'),
  ('\t\tif (ret != -EBUSY)\n\t\t\ti++;\n\t\tgoto err_put_back;','\t\tif (ret != -EBUSY)\n\t\t\ti++;\n\t\telse if (vdomain->nr_endpoints)\n\t\t\tret = -EINVAL;\n\t\tgoto err_put_back;')],
]
def subst(text,reps,what):
    for rep in reps:
        alts=rep if isinstance(rep,list) else [rep]
        hits=[a for a in alts if a and text.count(a[0])==1]
        if not hits and None in alts: continue
        if len(hits)!=1: raise Exception(f'{what}: {[text.count(a[0]) for a in alts if a]} matches of {alts[0][0]!r}')
        text=text.replace(*hits[0])
    return text
ERRNO=dict(v3={V3:E_V3},smmu={SM:E_SM},qcom={QC:E_QC},amd={AM:E_AM},intel={IN:E_IN},virtio={VF:E_VF})
CAP='iommu: Add IOMMU_CAP_ENFORCE_CACHE_COHERENCY'
EXTRA={AM:CAP,IN:CAP}
CONV=dict(v3='iommu/arm-smmu-v3: Return -EINVAL for an incompatible domain',smmu='iommu/arm-smmu: Return -EINVAL for incompatible domains only',
 qcom='iommu/qcom: Return -EINVAL for incompatible domains only',amd='iommu/amd: Return -EINVAL for incompatible domains only',
 intel='iommu/vt-d: Return -EINVAL for an incompatible domain',virtio='iommu/virtio: Return -EINVAL for an incompatible domain')
WHOLE={'v3','smmu','qcom','amd'}
import os
MSG={}
d=os.path.dirname(os.path.abspath(__file__))+'/msg'
def msg(key,body):
    f=f'{d}/{key}'
    return open(f).read() if os.path.exists(f) else body
def old(topic):
    import subprocess
    T='build/linux-6.1.y/linux'
    refs=['base']+subprocess.run(['git','-C',T,'for-each-ref','--format=%(refname)','refs/old'],capture_output=True,text=True).stdout.split()
    i=[k for k,r in enumerate(refs) if r.endswith('/'+topic)][0]
    return subprocess.run(['git','-C',T,'log','--reverse','--format=%s',f'{refs[i-1]}..{refs[i]}'],capture_output=True,text=True).stdout.splitlines()
CO=old('01-contract'); VI=old('02-virtio'); AV3=old('03-arm-smmu-v3'); AS=old('04-arm-smmu'); IT=old('05-intel'); AMD=old('06-amd'); S3=old('07-s390')
A64=old('08-soc-arm64'); RA=old('09-renesas-apple'); SA=old('10-soc-arm'); TO=old('11-tegra-omap'); FS=old('12-fsl-pamu'); CR=old('13-core'); VO=old('14-vfio'); MO=old('15-mock-iommu'); CC=old('16-coccinelle')
def pick(l,*n): return [l[k-1] for k in n]
def errno(k): return dict(errno=k,s=CONV[k],whole=k in WHOLE,msg=lambda b,k=k: msg('errno-'+k,b))
def no(l,k): return [s for s in l if s!=CONV[k]]
WRITE='drivers/iommu/iommu-kunit-write.h'
VIL='iommu/virtio: Translate the status of ATTACH and MAP requests'
ITF='iommu/vt-d: Refuse mappings above the first-level address range'
ITL='iommu/vt-d: Return -ENODEV when no domain would help'
def intel_fl(text): return subst(subst(text,E_IN,'fl'),[IN_FL],'fl')
FLBLOB=None
def sub(s,key): return dict(s=s,msg=lambda b: msg(key,b))
tov=lambda l: [sub(s,'virtio-leftover') if False else s for s in l]
virtio=[dict(s=VIL,**{'from':s},msg=lambda b: msg('virtio-leftover',b)) if s==CONV['virtio'] else s for s in VI]
intel=[]
for s in IT:
    if s==CONV['intel']:
        prev=IT[IT.index(s)-1]
        intel.append(dict(s=ITF,**{'from':prev},set={IN:intel_fl},msg=lambda b: msg('intel-fl',b)))
        intel.append(dict(s=ITL,**{'from':s},msg=lambda b: msg('intel-leftover',b)))
    else: intel.append(s)
RPM='iommu/qcom: Check runtime PM before programming a context bank'
qcom=[dict(s=RPM,msg=lambda b: msg('qcom-rpm',b)) if s==RPM else s for s in AS if s.startswith('iommu/qcom') and s!=CONV['qcom']]
FAKES='iommu: Add fakes for the KUnit tests of SoC drivers'
MSMT='iommu/msm: Add KUnit tests of attaching'
REL='iommu: Hold the group mutex while releasing a device'
LOOK='vfio/type1: Look up one page per contiguous piece when replaying'
TOPICS=[
 ('01-contract',CO),
 ('02-errno',[errno(k) for k in ('v3','smmu','qcom','virtio','intel','amd')]),
 ('03-vfio',pick(VO,1,2,5,6,7,8,9)),
 ('10-virtio',virtio),
 ('11-arm-smmu-v3',no(AV3,'v3')),
 ('12-arm-smmu',no([s for s in AS if s.startswith('iommu/arm-smmu')],'smmu')),
 ('13-qcom',qcom),
 ('14-intel',intel),
 ('15-amd',no(AMD,'amd')),
 ('16-s390',S3),
 ('17-fsl-pamu',FS),
 ('20-soc-kunit',[dict(s=FAKES,part=False,only='iommu-kunit-soc.h'),dict(s='iommu: Add a header that shows KUnit tests each register write',**{'from':MSMT},only=WRITE,part=True,msg=lambda b: msg('kunit-write',b))]),
 ('21-rockchip',[s for s in A64 if 'rockchip' in s]),
 ('22-sun50i',pick(A64,10,13)),
 ('23-sun50i-rft',pick(A64,11,12,14,15)),
 ('24-sprd',[s for s in A64 if 'sprd' in s]),
 ('25-mediatek',[s for s in A64 if 'mediatek' in s]),
 ('26-ipmmu-vmsa',[s for s in RA if 'ipmmu' in s]),
 ('27-dart',pick(RA,9,10,11,12,13)),
 ('28-dart-rft',pick(RA,14,15)),
 ('29-msm',pick(SA,1,2,5)),
 ('30-msm-rft',pick(SA,3,4,6,7)+[dict(s=MSMT,only='^(?!'+WRITE+')')]),
 ('31-exynos',pick(SA,9,10,11)),
 ('32-exynos-rft',pick(SA,12,13,14)),
 ('33-mediatek-v1',pick(SA,15)),
 ('34-mediatek-v1-rft',pick(SA,16,17,18,19)),
 ('35-tegra-smmu',pick(TO,1)),
 ('36-tegra-smmu-rft',pick(TO,2,3,4)),
 ('37-tegra-gart',pick(TO,5,6,7)),
 ('38-omap',pick(TO,8,9,10,11,15)),
 ('39-omap-rft',pick(TO,12,13,14,16,17)),
 ('40-core',[CR[0],CR[1],dict(s=REL,only='iommu.c$',part=True),dict(s='iommu: Test that a device is released under the group mutex',**{'from':REL},only='_test.c$',msg=lambda b: msg('rel-test',b))]),
 ('41-vfio',pick(VO,3,4)+[dict(s=LOOK,only='type1.c$',part=True),dict(s='vfio/type1: Test the lookups of a replay',**{'from':LOOK},only='(_test.c|fake.h)$',msg=lambda b: msg('look-test',b)),VO[10]]),
 ('42-mock-iommu',MO),
 ('43-coccinelle',CC),
]
def rep(s,*pairs):
    def fn(b):
        for a,n in pairs:
            assert b.count(a)==1,(s,a,b.count(a)); b=b.replace(a,n)
        return b
    for t,items in TOPICS:
        for k,it in enumerate(items):
            if it==s: items[k]=dict(s=s,msg=fn); return
            if isinstance(it,dict) and it['s']==s and 'msg' not in it: it['msg']=fn; return
    raise Exception(s)
TOPICS=[(t,list(i)) for t,i in TOPICS]
rep('vfio/type1: Try existing domains first, and stop on a hard error',
('''Drivers now reserve -EINVAL for a domain that is incompatible with the
device, a refusal changes nothing, and the core refuses domains of other
drivers.''','''Drivers whose devices VFIO takes return -EINVAL for a domain that is
incompatible with the device, and the core refuses domains of other
drivers. After a refusal the group is where it was: the core puts all of it
back, on the blocking domain, whatever the driver has done.'''),
('''Documentation/driver-api/iommu-attach.rst requires of drivers. On Intel
this needs the patch of this series that leaves a domain in use by other
IOMMUs unchanged; without it, a group behind a narrower IOMMU shrinks such
a domain. As a precaution,''','''Documentation/driver-api/iommu-attach.rst requires of drivers. On Intel, a
group behind a narrower IOMMU shrinks such a domain, as before, until a
later patch of this work leaves a domain alone that other IOMMUs use. For
that, and as a precaution'''),
('which costs next to nothing, the ranges','that costs next to nothing, the ranges'))
