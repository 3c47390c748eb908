#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Gives the commits of a kernel tree new messages, and nothing else.

    apply.py GITDIR WORDS... [--topics TOPIC...] [--base REF] [--repo DIR] [--write]

WORDS are folders with TOPIC/NNNN-*.patch.msg files, named like the patch files that
`make export` writes of the tree as it is: a message belongs to the commit whose subject
gives that name, whatever its number or topic. Every commit from base to the last topic is
made again with git commit-tree: same tree, author, committer and dates. Without --write
nothing refers to the new commits; with it the branches of the topics are moved. With --repo
the audit, which names patches by their subjects, gets the new ones (linux-*/audit/*.toml).
"""
import argparse, os, re, subprocess, sys, tomllib
from pathlib import Path

ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
ap.add_argument('gitdir')
ap.add_argument('words', nargs='+', type=Path)
ap.add_argument('--topics', nargs='+', help='branches, in order; by default all that are named like 01-topic')
ap.add_argument('--base', default='base')
ap.add_argument('--repo', type=Path, help='this repository, whose audit names subjects')
ap.add_argument('--write', action='store_true', help='move the branches')
args = ap.parse_args()

def git(*cmd, text=None, env=None):
    p = subprocess.run(['git', f'--git-dir={args.gitdir}', *cmd], input=text, stdout=subprocess.PIPE, env=env)
    if p.returncode:
        sys.exit(f'git {cmd[0]} failed in {args.gitdir}')
    return p.stdout

# git format-patch cuts names to 64 bytes, the number, ".patch" and a NUL included
key = lambda sanitized: sanitized[:64 - len('0001-') - len('.patch') - 1]

messages = {}
for folder in args.words:
    for file in sorted(folder.glob('*/*.patch.msg')):
        name = re.sub(r'^\d{4}-', '', file.name.removesuffix('.patch.msg'))
        if name in messages:
            sys.exit(f'{file} and {messages[name]}: two messages for one subject')
        messages[name] = file
if not messages:
    sys.exit(f'no */*.patch.msg in {" ".join(map(str, args.words))}')

heads = git('for-each-ref', '--format=%(refname:short)', 'refs/heads').decode().split()
topics = args.topics or sorted(h for h in heads if re.match(r'\d\d-', h))
tips = {t: git('rev-parse', f'refs/heads/{t}^{{commit}}').decode().strip() for t in topics}
base = git('rev-parse', f'{args.base}^{{commit}}').decode().strip()

fields = ['%H', '%P', '%T', '%an', '%ae', '%ad', '%cn', '%ce', '%cd', '%f', '%s', '%B']
log = git('log', '-z', '--reverse', '--date=raw', '--encoding=UTF-8', '--format=' + '%x01'.join(fields),
          f'{base}..{tips[topics[-1]]}').decode()
new, used, left, renamed = {base: base}, set(), [], {}
for entry in log.rstrip('\0').split('\0'):
    commit, parent, tree, an, ae, ad, cn, ce, cd, sanitized, subject, body = entry.split('\x01')
    if parent not in new:
        sys.exit(f'{commit[:12]} ("{subject}") does not follow the commit before it: no single chain')
    file = messages.get(key(sanitized))
    if file:
        if file in used:
            sys.exit(f'{file} fits two commits')
        used.add(file)
        body = file.read_text()
        renamed[subject] = body.split('\n', 1)[0]
    else:
        left.append(subject)
    env = dict(os.environ, GIT_AUTHOR_NAME=an, GIT_AUTHOR_EMAIL=ae, GIT_AUTHOR_DATE=ad,
               GIT_COMMITTER_NAME=cn, GIT_COMMITTER_EMAIL=ce, GIT_COMMITTER_DATE=cd)
    new[commit] = git('commit-tree', tree, '-p', new[parent], text=(body.rstrip('\n') + '\n').encode(), env=env).decode().strip()

for topic, tip in tips.items():
    if tip not in new:
        sys.exit(f'{topic} is not on the way from {args.base} to {topics[-1]}')

# Trees, authors and dates, as git reads them back
same = '%T%n%an%n%ae%n%ad%n%cn%n%ce%n%cd'
look = lambda tip: git('log', '--reverse', '--date=raw', f'--format={same}', f'{base}..{tip}')
if look(tips[topics[-1]]) != look(new[tips[topics[-1]]]):
    sys.exit('trees, authors or dates differ: nothing was moved')
if args.write:
    git('update-ref', '--stdin', text=''.join(f'update refs/heads/{t} {new[tip]} {tip}\n' for t, tip in tips.items()).encode())
if args.repo:
    places = 0
    for toml in sorted(args.repo.glob('linux-*/audit/*.toml')):
        text = toml.read_text()
        for old, subject in renamed.items():
            places += text.count(f'"{old}"') if old != subject else 0
            text = text.replace(f'"{old}"', f'"{subject}"')
        tomllib.loads(text)
        if args.write:
            toml.write_text(text)
    print(f'{places} places in {args.repo}/linux-*/audit name an old subject')
for name in sorted(f for f in messages.values() if f not in used):
    print(f'{name}: no commit has this subject')
for subject in left:
    print(f'keeps its message: {subject}')
print(f'{len(new) - 1} commits, {len(used)} of {len(messages)} messages used, {len(left)} commits keep theirs; '
      f'all trees, authors and dates are the same; tip {new[tips[topics[-1]]][:12]}{"" if args.write else " (not written)"}')
sys.exit(len(used) != len(messages))
