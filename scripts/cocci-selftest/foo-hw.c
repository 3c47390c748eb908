// SPDX-License-Identifier: GPL-2.0
/* The second file of foo.c; see there. Reached through functions and a pointer. */

int foo_reset(struct foo *foo)
{
	if (!foo->base)
		return -ENODEV;
	return foo->impl->init(foo);
}

int foo_enable(struct foo *foo, struct foo_domain *fd)
{
	if (foo->stuck)
		return -EFAULT; /* bad: errno */
	return foo->impl->init(foo);
}

static int foo_v2_init(struct foo *foo)
{
	int err = foo_helper(foo);

	if (err)
		return -ENXIO; /* bad: errno */
	if (err == -EAGAIN)
		return err;
	return 0;
}

/* Exported: somebody else's */
int foo_core(struct foo *foo)
{
	return -EPROTO;
}
EXPORT_SYMBOL_GPL(foo_core);

static const struct foo_impl foo_v2 = {
	.init = foo_v2_init,
};
