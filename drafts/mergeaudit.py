# mergeaudit.py FILE OTHERREV BASEREV : FILE (ours) gets fields of OTHER that differ from BASE, in rows matched by function+condition
import subprocess,sys,re
f,other,base=sys.argv[1:4]
def show(rev): return subprocess.run(['git','show',f'{rev}:{f}'],capture_output=True,text=True,check=True).stdout
def blocks(t):
    parts=re.split(r'(?m)^(?=\[\[path\]\])',t)
    return parts[0],parts[1:]
def fields(b):
    d={};k=None
    for line in b.split('\n'):
        m=re.match(r'^([a-z_]+) = ',line)
        if m: k=m.group(1); d[k]=line
        elif line=='[[path]]' or (line=='' and k and d[k].count('"""')!=1): k=None
        elif k: d[k]+='\n'+line
    return d
def norm(d): return (d['function'],d['condition'])
our=open(f).read()
h,ob=blocks(our); _,tb=blocks(show(other)); _,bb=blocks(show(base))
T={norm(fields(b)):fields(b) for b in tb}; B={norm(fields(b)):fields(b) for b in bb}
out=[];n=0
for b in ob:
    d=fields(b);k=norm(d)
    if k in T and k in B:
        for key in set(T[k])|set(B[k]):
            if T[k].get(key)!=B[k].get(key):
                n+=1
                if key in d and key in T[k]: b=b.replace(d[key],T[k][key])
                elif key in T[k]: b=b.rstrip('\n')+'\n'+T[k][key]+'\n\n'
                elif key in d: b=b.replace(d[key]+'\n','')
    elif k not in T: print('not in other:',k)
    out.append(b)
for k in T:
    if k not in {norm(fields(b)) for b in ob}: print('missing here:',k)
open(f,'w').write(h+''.join(out).rstrip('\n')+'\n'); print(f,n,'fields')
