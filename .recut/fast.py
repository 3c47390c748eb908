#!/usr/bin/python3
# One pass in memory: states of touched files only; one fast-import at the end.
import subprocess,sys,os,re,tempfile,pickle
import plan
subst=plan.subst
T=plan.TREE if hasattr(plan,'TREE') else 'build/linux-6.1.y/linux'
def git(*a,inp=None,check=True):
    r=subprocess.run(['git','-C',T,*a],input=inp,capture_output=True)
    if check and r.returncode: sys.exit(f'git {a}: {r.stderr.decode()}{r.stdout.decode()}')
    return r.stdout
OLD='old'
base=git('rev-parse','base').decode().strip()
C=[];by={}
fmt='%x01%H%x00%an%x00%ae%x00%ad%x00%cn%x00%ce%x00%cd%x00%B%x02'
for part in git('log','--reverse','--no-renames','--full-index','--abbrev=40','--date=raw','--format='+fmt,'--raw',f'base..{OLD}').decode().split('\x01')[1:]:
    head,raw=part.split('\x02'); h,*who,body=head.split('\0')
    files={}
    for l in raw.strip().splitlines():
        m=re.match(r':(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) \w\t(.*)',l); files[m[5]]=(m[3],m[4],m[2])
    s=body.split('\n',1)[0]; by[s]=len(C); C.append(dict(h=h,who=who,body=body,s=s,files=files))
assert len(by)==len(C)
need={x for c in C for a,b,_ in c['files'].values() for x in (a,b) if set(x)!={'0'}}
out=git('cat-file','--batch',inp='\n'.join(need).encode()+b'\n'); pos=0; B={'0'*40:None}
while pos<len(out):
    e=out.index(b'\n',pos); h,_,n=out[pos:e].split(); n=int(n); B[h.decode()]=out[e+1:e+1+n].decode(); pos=e+2+n
state={};mode={}      # path -> text as it is now
first={}
for c in C:
    for f,(a,b,m) in c['files'].items():
        first.setdefault(f,B[a]); mode[f]=m
state=dict(first)
final={}
for c in C:
    for f,(a,b,m) in c['files'].items(): final[f]=B[b]
ADD=re.compile(r'kunitconfig$|drivers/iommu/Kconfig$')
BL={}
for f in final:
    if ADD.search(f):
        BL[f]=[]
        for l in git('blame','-s','-l','--root',f'base..{OLD}','--',f).decode().splitlines():
            m=re.match(r'(\S+)\s+(?:\S+\s+)?\d+\)(?: (.*))?$',l); h=m[1].lstrip('^')
            BL[f].append((next((k for k,c in enumerate(C) if c['h'].startswith(h)),None),m[2] or ''))
def blamed(f,app): return ''.join(l+'\n' for k,l in BL[f] if k is None or k in app)
def merge3(o,a,b):
    """three texts -> text, conflicts"""
    if a==o: return b,0
    if b==o or a==b: return a,0
    if None in (o,a,b): return None,1
    with tempfile.TemporaryDirectory(dir='/dev/shm') as d:
        for n,t in zip('aob',(a,o,b)): open(f'{d}/{n}','w').write(t)
        r=subprocess.run(['git','merge-file','-p',f'{d}/a',f'{d}/o',f'{d}/b'],capture_output=True)
    return r.stdout.decode(),r.returncode
def blob(i,f):
    for k in range(i,-1,-1):
        if f in C[k]['files']: return B[C[k]['files'][f][1]]
    return first[f]
def touch(f,i): return {k for k in range(i+1) if f in C[k]['files']}
EXTRA={f:by[s] for f,s in getattr(plan,'EXTRA',{}).items()}
def run():
    applied=set();done=[];bad=0
    for topic,items in plan.TOPICS:
        for it in items:
            if isinstance(it,str): it=dict(s=it)
            s=it.get('from',it['s']); i=by[s]; c=C[i]; only=it.get('only'); ch={}
            def withextra(f,text):
                k=EXTRA.get(f)
                if k is None or k not in applied or k<=i: return text
                a,b,_=C[k]['files'][f]; r,n=merge3(B[a],text,B[b])
                if n: raise Exception(f'extra {f} at {s}')
                return r
            if 'errno' in it:
                for f,reps in plan.ERRNO[it['errno']].items(): ch[f]=subst(state[f],reps,s+' '+f)
                if it['whole']: applied.add(i)
            elif 'set' in it:
                for f,fn in it['set'].items(): ch[f]=withextra(f,fn(blob(i,f)))
            else:
                app=applied|{i}
                for f,(a,b,m) in c['files'].items():
                    if only and not re.search(only,f): continue
                    if ADD.search(f): ch[f]=blamed(f,app); continue
                    e=next((k for k in plan.ERRNO if f in plan.ERRNO[k]),None)
                    have={k for k in app if f in C[k]['files']}
                    if e and i!=EXTRA.get(f):
                        conv=by[plan.CONV[e]]; x={EXTRA[f]} if f in EXTRA else set()
                        if touch(f,i)|{conv}|x==have|{conv}|x:
                            t=blob(i,f)
                            if i<conv: t=subst(t,plan.ERRNO[e][f],s+' '+f)
                            ch[f]=withextra(f,t); continue
                        print('!! order of',f,'at',s)
                    t,n=merge3(B[a],state[f],B[b])
                    if n:
                        if f in it.get('conflict',{}): t=it['conflict'][f](blob(i,f),state[f])
                        elif touch(f,i)==have: t=blob(i,f)
                        else:
                            bad+=1; print(f'CONFLICT {topic}: {s}: {f}: missing',[C[k]['s'] for k in sorted(touch(f,i)-have)],'extra',[C[k]['s'] for k in sorted(have-touch(f,i))])
                            open(f'/tmp/recut-conflict-{bad}','w').write(t or '')
                            t=blob(i,f)
                    ch[f]=t
                if not it.get('part'): applied.add(i)
            ch={f:t for f,t in ch.items() if state.get(f)!=t}
            if not ch: print(f'EMPTY {topic}: {s}'); continue
            body=c['body']
            if it['s']!=s: body=it['s']+'\n'+body.split('\n',1)[1]
            if it.get('msg'): body=it['msg'](body)
            state.update(ch); done.append((topic,c['who'],body.strip()+'\n',ch))
    rest=[C[k]['s'] for k in range(len(C)) if k not in applied]
    if rest: print('NOT APPLIED',rest)
    diff=[f for f in final if final[f]!=state[f]]
    for f in diff: print('DIFFERS',f)
    o=[b'reset refs/heads/recut\nfrom '+base.encode()+b'\n\n']; last={}
    for n,(topic,who,body,ch) in enumerate(done,1):
        an,ae,ad,cn,ce,cd=who; body=body.encode()
        o.append(f'commit refs/heads/recut\nmark :{n}\nauthor {an} <{ae}> {ad}\ncommitter {cn} <{ce}> {cd}\ndata {len(body)}\n'.encode()+body+b'\n')
        if n==1: o.append(b'from '+base.encode()+b'\n')
        for f,t in ch.items():
            t=t.encode(); o.append(f'M {mode[f]} inline {f}\ndata {len(t)}\n'.encode()+t+b'\n')
        o.append(b'\n'); last[topic]=n
    for t,n in last.items(): o.append(f'reset refs/recut/{t}\nfrom :{n}\n\n'.encode())
    git('fast-import','--force','--quiet',inp=b''.join(o))
    a,b=(git('rev-parse',x+'^{tree}').decode().strip() for x in ('recut',OLD))
    print('tree',a,'old',b,'SAME' if a==b else 'DIFFERS'); print(len(done),'patches',len(last),'topics',bad,'conflicts')
    return last
last=run()
if 'branches' in sys.argv:
    git('checkout','-q','--detach',OLD)
    cmds=''.join(f'delete {r}\n' for r in git('for-each-ref','--format=%(refname)','refs/heads/[0-9]*-*').decode().split() if r[11:] not in last)
    cmds+=''.join(f"update refs/heads/{t} {git('rev-parse','refs/recut/'+t).decode().strip()}\n" for t in last)
    git('update-ref','--stdin',inp=cmds.encode())
    git('checkout','-q',list(last)[-1]); print(len(last),'branches')
