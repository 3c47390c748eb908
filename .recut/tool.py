#!/usr/bin/python3
import subprocess,sys,os,re,importlib.util
T='build/linux-6.1.y/linux'
def git(*a,inp=None,env=None,check=True,raw=False):
    r=subprocess.run(['git','-C',T,*a],input=inp,capture_output=True,text=not raw,env=env)
    if check and r.returncode: sys.exit(f'git {a}: {r.stderr}{r.stdout}')
    return r
OLD='old'
base=git('rev-parse','base').stdout.strip()
C=[];by={}
for l in git('log','--reverse','--format=%H%x00%T%x00%P%x00%s',f'base..{OLD}').stdout.splitlines():
    h,t,p,s=l.split('\0'); by[s]=len(C); C.append(dict(h=h,t=t,p=p,s=s,files=[]))
for i,c in enumerate(C):
    c['files']=git('diff-tree','-r','--name-only',c['p'],c['h']).stdout.split()
assert len(by)==len(C)
btree=git('rev-parse','base^{tree}').stdout.strip()
def blob(tree,f):
    r=git('show',f'{tree}:{f}',check=False)
    return r.stdout if r.returncode==0 else None
def hashobj(text): return git('hash-object','-w','--stdin',inp=text).stdout.strip()
IDX=T+'/.git/recut.index'
def settree(tree,changes):
    """changes {file: text or None}"""
    env=dict(os.environ,GIT_INDEX_FILE=IDX)
    git('read-tree',tree,env=env)
    inp=''
    for f,text in changes.items():
        if text is None: inp+=f'0 {"0"*40}\t{f}\n'
        else:
            m=git('ls-tree',OLD,f).stdout.split()[:1] or ['100644']
            inp+=f'{m[0]} {hashobj(text)}\t{f}\n'
    git('update-index','--add','--index-info',inp=inp,env=env)
    return git('write-tree',env=env).stdout.strip()
_mk={}
def mk(tree,par=None):
    k=(tree,par)
    if k not in _mk: _mk[k]=git('commit-tree',tree,*(['-p',par] if par else []),'-m','x').stdout.strip()
    return _mk[k]
def merge3(bt,ours,theirs):
    if bt==ours: return theirs,[]
    b=mk(bt); r=git('merge-tree','--write-tree','--name-only','--no-messages',mk(ours,b),mk(theirs,b),check=False)
    L=r.stdout.splitlines()
    return L[0],([x for x in L[1:] if x] if r.returncode else [])
# blame of add-only files
BL={}
def blamed(f,applied):
    if f not in BL:
        out=git('blame','-s','-l','--root',f'base..{OLD}','--',f).stdout.splitlines()
        BL[f]=[( m.group(1).lstrip('^'),m.group(2)) for m in (re.match(r'(\S+)\s+(?:\S+\s+)?\d+\) ?(.*)$',l) for l in out)]
    return ''.join(l+'\n' for h,l in BL[f] if not any(c['h'].startswith(h) for c in C) or any(C[i]['h'].startswith(h) for i in applied))
ADD=re.compile(r'kunitconfig$|drivers/iommu/Kconfig$')
spec=importlib.util.spec_from_file_location('plan',os.path.dirname(os.path.abspath(__file__))+'/plan.py')
plan=importlib.util.module_from_spec(spec); spec.loader.exec_module(plan)
subst=plan.subst
def run(upto=None):
    tree=btree;parent=base;applied=set();absorbed=set();bad=0;out=[]
    for topic,items in plan.TOPICS:
        for it in items:
            kind=None
            if isinstance(it,str): it=dict(s=it)
            s=it.get('from',it['s']); i=by.get(s)
            only=it.get('only'); new=it.get('s')
            if 'errno' in it:            # new patch on the state so far
                ch={}
                for f,reps in plan.ERRNO[it['errno']].items(): ch[f]=subst(blob(tree,f),reps,s+' '+f)
                t=settree(tree,ch)
                src=C[i]['h'] if i is not None else None
                if it.get('whole'): applied.add(i)
            elif 'set' in it:            # function of the old blob after patch i
                ch={f:fn(blob(C[i]['t'],f)) for f,fn in it['set'].items()}
                t=settree(tree,ch); src=C[i]['h']
                if it.get('done'): applied.add(i)
            else:
                c=C[i]; src=c['h']
                files=[f for f in c['files'] if not only or re.search(only,f)]
                bt=git('rev-parse',c['p']+'^{tree}').stdout.strip(); th=c['t']
                if only: th=settree(bt,{f:blob(c['t'],f) for f in files})
                app=applied|{i}
                t,conf=merge3(bt,tree,th)
                ch={}
                for f in files:
                    if ADD.search(f):
                        ch[f]=it['text'][f] if f in it.get('text',{}) else blamed(f,app)
                for key,e in plan.ERRNO.items():   # states of a driver between its errno patch and where that was absorbed
                    for f in e:
                        if f in files:
                            old=[k for k in range(len(C)) if f in C[k]['files'] and k<=i]
                            conv=by[plan.CONV[key]]
                            if set(old)|{conv}!={k for k in app if f in C[k]['files']}|{conv}:
                                print('!! order of',f,'at',s); continue
                            if i<conv:
                                ch[f]=subst(blob(c['t'],f),e[f],s+' '+f)
                            else: ch[f]=blob(c['t'],f)
                for f in conf:
                    if f in ch: continue
                    old={k for k in range(len(C)) if f in C[k]['files'] and k<=i}
                    if it.get('conflict',{}).get(f): ch[f]=it['conflict'][f](blob(c['t'],f),blob(tree,f)); continue
                    if old=={k for k in app if f in C[k]['files']}: ch[f]=blob(c['t'],f); continue
                    print(f'CONFLICT {topic}: {s}: {f}: missing',[C[k]['s'] for k in sorted(old-app)],'extra',[C[k]['s'] for k in sorted({k for k in app if f in C[k]["files"]}-old)])
                    bad+=1
                if ch: t=settree(t,ch)
                if not it.get('part'): applied.add(i)
            if t==tree:
                print(f'EMPTY {topic}: {s}')
                continue
            body=git('log','-1','--format=%B',src).stdout if src else ''
            if new and i is not None: body=new+'\n'+body.split('\n',1)[1]
            if it.get('msg'): body=it['msg'] if callable(it['msg'])==False else it['msg'](body)
            if not src: src=C[0]['h']
            g=git('log','-1','--format=%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd','--date=raw',src).stdout.strip().split('\0')
            env=dict(os.environ,GIT_AUTHOR_NAME=g[0],GIT_AUTHOR_EMAIL=g[1],GIT_AUTHOR_DATE=g[2],GIT_COMMITTER_NAME=g[3],GIT_COMMITTER_EMAIL=g[4],GIT_COMMITTER_DATE=g[5])
            parent=git('commit-tree',t,'-p',parent,'-F','-',inp=body.strip()+'\n',env=env).stdout.strip()
            tree=t; out.append((topic,parent))
    rest=[C[k]['s'] for k in range(len(C)) if k not in applied]
    if rest: print('NOT APPLIED',rest)
    final=git('rev-parse',OLD+'^{tree}').stdout.strip()
    print('tree',tree,'old',final,'SAME' if tree==final else 'DIFFERS')
    git('update-ref','refs/heads/recut',parent)
    print(git('diff','--stat',OLD,'recut').stdout[-2000:])
    print(len(out),'patches',bad,'conflicts')
    return out
if __name__=='__main__':
    out=run()
    if len(sys.argv)>1 and sys.argv[1]=='branches':
        git('checkout','-q','--detach',OLD)
        for r in git('for-each-ref','--format=%(refname)','refs/heads/[0-9]*-*').stdout.split(): git('update-ref','-d',r)
        last={}
        for t,p in out: last[t]=p
        for t,p in last.items(): git('update-ref','refs/heads/'+t,p)
        print(len(last),'branches')
