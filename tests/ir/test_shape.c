/* test_shape.c: every shape rule by table: what instructions make of which inputs, and how they
 * refuse others. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include "ir/shape.h"
#include "ir/text.h"

typedef struct shape_case {
	const char *line;      /* in the text form; its ids do not matter */
	const char *inputs;    /* of its tensors, in order: "float32[2,3] int64[4]" */
	const char *result;    /* "float32 (2, 3)", or an error's name and text: "ESHAPE: add: .." */
} shape_case;

static const shape_case cases[] = {
	/* creation */
	{ "t1 = full float32 1.5 [2,3]", "", "float32 (2, 3)" },
	{ "t1 = full int64 2.5 []", "", "int64 ()" },
	{ "t1 = full bool 1 [0]", "", "bool (0,)" },
	{ "t1 = full bool true [1048576,1048576]", "", "bool (1048576, 1048576)" },
	{ "t1 = full bool true [1048576,1048577]", "",
		"ELIMIT: full: a result of shape (1048576, 1048577) has more than 2^40 elements" },
	{ "t1 = full bool true [9223372036854775807,9223372036854775807]", "", "ELIMIT: full:" },
	{ "t1 = full bool true [0,9223372036854775807,2]", "", "ELIMIT: full:" },
	{ "t1 = full bool true [1,1,1,1,1,1,1,1]", "", "bool (1, 1, 1, 1, 1, 1, 1, 1)" },
	{ "t1 = full bool true [1,1,1,1,1,1,1,1,1]", "", "ELIMIT: full: rank 9, the limit is 8" },
	{ "t1 = arange int64 0, 1 [5]", "", "int64 (5,)" },
	{ "t1 = arange float32 0, 0.5 [5]", "", "float32 (5,)" },
	{ "t1 = arange bool 0, 1 [5]", "", "EDTYPE: arange: makes ints or floats, not bool" },
	{ "t1 = arange int64 false, true [5]", "",
		"EDTYPE: arange: takes int and float dtypes, not bool" },
	{ "t1 = eye float64 [3,4]", "", "float64 (3, 4)" },
	{ "t1 = rand float32 [3] seed=1 draw=2", "", "float32 (3,)" },
	{ "t1 = randn float64 [] seed=1 draw=2", "", "float64 ()" },
	{ "t1 = randn int64 [3] seed=1 draw=2", "",
		"EDTYPE: randn: makes float32 or float64, not int64" },
	{ "t1 = randint int64 0, 9 [3] seed=1 draw=2", "", "int64 (3,)" },
	{ "t1 = randint bool 0, 2 [3] seed=1 draw=2", "", "EDTYPE: randint:" },
	{ "t1 = randint int64 0.5, 9 [3] seed=1 draw=2", "", "EDTYPE: randint: takes int dtypes" },
	/* one input */
	{ "t1 = exp t2", "float64[2,3]", "float64 (2, 3)" },
	{ "t1 = exp t2", "int64[2]",
		"EDTYPE: exp: takes float dtypes, not int64; input int64 (2,)" },
	{ "t1 = neg t2", "bool[2]", "EDTYPE: neg: takes int and float dtypes, not bool" },
	{ "t1 = isnan t2", "float32[0]", "bool (0,)" },
	{ "t1 = cast t2 dtype=int32", "bool[2,2]", "int32 (2, 2)" },
	{ "t1 = not t2", "int32[1]", "int32 (1,)" },
	{ "t1 = not t2", "float32[1]", "EDTYPE: not: takes bool and int dtypes" },
	{ "t1 = clone t2", "bool[]", "bool ()" },
	/* two and three inputs */
	{ "t1 = add t2, t3", "float32[2,3] float32[2,3]", "float32 (2, 3)" },
	{ "t1 = add t2, t3", "float32[2,3] float32[3]", "float32 (2, 3)" },
	{ "t1 = add t2, t3", "float32[2,1] float32[3,1,5]", "float32 (3, 2, 5)" },
	{ "t1 = add t2, t3", "float32[] float32[0]", "float32 (0,)" },
	{ "t1 = add t2, t3", "float32[1] float32[0,2]", "float32 (0, 2)" },
	{ "t1 = add t2, t3", "float32[2,3] float32[4]",
		"ESHAPE: add: shapes (2, 3) and (4,) do not broadcast: dim 1 is 3 and 4" },
	{ "t1 = add t2, t3", "float32[2,1] float32[0,2]",
		"ESHAPE: add: shapes (2, 1) and (0, 2) do not" },
	{ "t1 = add t2, t3", "float32[0] float32[2]", "ESHAPE: add: shapes (0,) and (2,)" },
	{ "t1 = add t2, t3", "float32[2] float64[2]",
		"EDTYPE: add: dtypes float32 and float64 differ" },
	{ "t1 = add t2, t3", "float32[1099511627776,1] float32[2]", "ELIMIT: add:" },
	{ "t1 = add t2, 1.5", "float32[2]", "float32 (2,)" },
	{ "t1 = sub 1, t2", "int32[2]", "int32 (2,)" },
	{ "t1 = add t2, 1.5", "int32[2]",
		"EDTYPE: add: a float scalar does not go with dtype int32" },
	{ "t1 = add t2, 1", "bool[2]", "EDTYPE: add: a int scalar" },
	{ "t1 = sub t2, t3", "bool[2] bool[2]", "EDTYPE: sub: takes int and float dtypes" },
	{ "t1 = div t2, t3", "int64[2] int64[2]", "EDTYPE: div: takes float dtypes" },
	{ "t1 = lt t2, t3", "int64[2] int64[2,1]", "bool (2, 2)" },
	{ "t1 = lt t2, 3", "int64[2]", "bool (2,)" },
	{ "t1 = where t2, t3, t4", "bool[2,1] float32[3] float32[1,1]", "float32 (2, 3)" },
	{ "t1 = where t2, t3, 0.5", "bool[] float64[3]", "float64 (3,)" },
	{ "t1 = where t2, 1, 2", "bool[4]", "int64 (4,)" },
	{ "t1 = where t2, 1, 0.5", "bool[4]", "float32 (4,)" },
	{ "t1 = where true, t2, false", "bool[4]", "bool (4,)" },
	{ "t1 = where true, t2, t3", "int32[4] int32[2,1]", "int32 (2, 4)" },
	{ "t1 = where 1, t2, t3", "int32[4] int32[4]",
		"EDTYPE: where: the condition must be bool" },
	{ "t1 = where t2, t3, t4", "int64[2] int64[2] int64[2]",
		"EDTYPE: where: the condition must be bool" },
	{ "t1 = where t2, t3, t4", "bool[2] int64[2] int32[2]",
		"EDTYPE: where: dtypes int64 and int32" },
	{ "t1 = where t2, t3, t4", "bool[2] int64[3] int64[1]",
		"ESHAPE: where: shapes (2,) and (3,)" },
	{ "t1 = clamp t2, 0, 1", "float32[2]", "float32 (2,)" },
	{ "t1 = clamp t2, t3, t4", "float32[2,1] float32[3] float32[4,1,1]", "float32 (4, 2, 3)" },
	{ "t1 = clamp t2, t3, t4", "float32[2] float32[1] float32[3]",
		"ESHAPE: clamp: shapes (2,) and (3,)" },
	{ "t1 = clamp t2, t3, t4", "float32[2] float32[2] float64[2]", "EDTYPE: clamp: dtypes" },
	/* reductions */
	{ "t1 = sum t2 axes=[1]", "float32[2,3,4]", "float32 (2, 4)" },
	{ "t1 = sum t2 axes=[0,2] keepdims", "float32[2,3,4]", "float32 (1, 3, 1)" },
	{ "t1 = sum t2 axes=[]", "float32[]", "float32 ()" },
	{ "t1 = sum t2 axes=[]", "float32[2]", "float32 (2,)" },
	{ "t1 = sum t2 axes=[0]", "int32[2]", "int64 ()" },
	{ "t1 = prod t2 axes=[0]", "bool[0]", "int64 ()" },
	{ "t1 = sum t2 axes=[1]", "float32[2]", "ESHAPE: sum: axis 1 is out of range for rank 1" },
	{ "t1 = sum t2 axes=[0]", "float32[]", "ESHAPE: sum: axis 0 is out of range for rank 0" },
	{ "t1 = sum t2 axes=[7]", "float32[1,1,1,1,1,1,1,2]", "float32 (1, 1, 1, 1, 1, 1, 1)" },
	{ "t1 = any t2 axes=[0]", "float32[0,2]", "bool (2,)" },
	{ "t1 = max t2 axes=[0]", "int32[3,0]", "int32 (0,)" },
	{ "t1 = max t2 axes=[1]", "int32[3,0]", "ESHAPE: max: dim 1 is reduced but has size 0" },
	{ "t1 = max t2 axes=[]", "int32[]", "int32 ()" },
	{ "t1 = argmax t2 axes=[1]", "float32[2,3]", "int64 (2,)" },
	{ "t1 = argmax t2 axes=[0,1] keepdims", "float32[2,3]", "int64 (1, 1)" },
	{ "t1 = argmin t2 axes=[]", "float32[]", "int64 ()" },
	{ "t1 = argmin t2 axes=[]", "float32[2]", "EINVAL: argmin: reduces one axis or all" },
	{ "t1 = argmin t2 axes=[0,1]", "float32[2,3,4]",
		"EINVAL: argmin: reduces one axis or all" },
	{ "t1 = mean t2 axes=[0]", "float32[0]", "float32 ()" },
	{ "t1 = mean t2 axes=[0]", "int64[2]", "EDTYPE: mean: takes float dtypes, not int64" },
	{ "t1 = var t2, 1 axes=[0]", "float64[4,2]", "float64 (2,)" },
	{ "t1 = logsumexp t2 axes=[0,1]", "float64[4,0]", "float64 ()" },
	{ "t1 = softmax t2 axis=1", "float32[4,0]", "float32 (4, 0)" },
	{ "t1 = softmax t2 axis=2", "float32[4,1]",
		"ESHAPE: softmax: axis 2 is out of range for rank 2" },
	{ "t1 = softmax t2 axis=0", "float32[]",
		"ESHAPE: softmax: axis 0 is out of range for rank 0" },
	{ "t1 = layer_norm t2, 1e-05 axes=[1,2]", "float32[2,3,4]", "float32 (2, 3, 4)" },
	{ "t1 = layer_norm t2, 1e-05 axes=[0,1,2,3,4,5,6,7]", "float32[1,1,1,1,1,1,1,2]",
		"float32 (1, 1, 1, 1, 1, 1, 1, 2)" },
	{ "t1 = layer_norm t2, 1e-05 axes=[0,2]", "float32[2,3,4]",
		"ESHAPE: layer_norm: axes must be the last" },
	{ "t1 = layer_norm t2, 1e-05 axes=[1]", "float32[2,3,4]",
		"ESHAPE: layer_norm: axes must be the last" },
	{ "t1 = layer_norm t2, 1e-05 axes=[3]", "float32[2,3,4]",
		"ESHAPE: layer_norm: axes must be the last" },
	{ "t1 = layer_norm t2, 1e-05 axes=[]", "float32[2,3,4]",
		"ESHAPE: layer_norm: axes must be the last" },
	/* products */
	{ "t1 = matmul t2, t3", "float32[2,3] float32[3,4]", "float32 (2, 4)" },
	{ "t1 = matmul t2, t3", "int64[2,0] int64[0,4]", "int64 (2, 4)" },
	{ "t1 = matmul t2, t3", "float32[5,1,2,3] float32[6,3,4]", "float32 (5, 6, 2, 4)" },
	{ "t1 = matmul t2, t3", "float32[2,3] float32[4,4]",
		"ESHAPE: matmul: inner sizes 3 and 4 differ; "
		"inputs float32 (2, 3) and float32 (4, 4)" },
	{ "t1 = matmul t2, t3", "float32[3] float32[3,4]",
		"ESHAPE: matmul: both inputs must have two dims" },
	{ "t1 = matmul t2, t3", "float32[2,2,3] float32[4,3,1]",
		"ESHAPE: matmul: leading dims do not" },
	{ "t1 = matmul t2, t3", "float32[2,3] float64[3,4]",
		"EDTYPE: matmul: dtypes float32 and float64" },
	{ "t1 = matmul t2, t3", "bool[2,3] bool[3,4]",
		"EDTYPE: matmul: takes int and float dtypes" },
	{ "t1 = matmul t2, t3", "float32[1048577,1] float32[1,1048577]", "ELIMIT: matmul:" },
	/* views */
	{ "t1 = reshape t2 [3,2]", "float32[2,3]", "float32 (3, 2)" },
	{ "t1 = reshape t2 []", "float32[1,1]", "float32 ()" },
	{ "t1 = reshape t2 [0,7]", "float32[2,0]", "float32 (0, 7)" },
	{ "t1 = reshape t2 [4]", "float32[2,3]",
		"ESHAPE: reshape: 6 elements do not fill shape (4,)" },
	{ "t1 = permute t2 perm=[2,0,1]", "float32[2,3,4]", "float32 (4, 2, 3)" },
	{ "t1 = permute t2 perm=[0]", "float32[]", "float32 ()" },
	{ "t1 = permute t2 perm=[1,0]", "float32[2,3,4]",
		"ESHAPE: permute: perm must hold each dim of rank 3" },
	{ "t1 = permute t2 perm=[1,0]", "float32[2]",
		"ESHAPE: permute: perm must hold each dim of rank 1" },
	{ "t1 = expand t2 [4,2,3]", "float32[2,1]", "float32 (4, 2, 3)" },
	{ "t1 = expand t2 [0]", "float32[1]", "float32 (0,)" },
	{ "t1 = expand t2 [3]", "float32[2]", "ESHAPE: expand: does not expand to shape (3,)" },
	{ "t1 = expand t2 [2]", "float32[1,2]", "ESHAPE: expand: does not expand to shape (2,)" },
	{ "t1 = expand t2 [1099511627777]", "float32[1]", "ELIMIT: expand:" },
	{ "t1 = slice t2 first=[1,2] count=[1,2] step=[1,-2]", "float32[2,3]", "float32 (1, 2)" },
	{ "t1 = slice t2 first=[] count=[] step=[]", "float32[]", "float32 ()" },
	{ "t1 = slice t2 first=[-1] count=[0] step=[-1]", "float32[0]", "float32 (0,)" },
	{ "t1 = slice t2 first=[0] count=[3] step=[1]", "float32[2]",
		"ESHAPE: slice: dim 0 has size 2: 3 elements from 0 by 1 leave it" },
	{ "t1 = slice t2 first=[1] count=[2] step=[-2]", "float32[4]", "ESHAPE: slice:" },
	{ "t1 = slice t2 first=[-1] count=[1] step=[1]", "float32[4]", "ESHAPE: slice:" },
	{ "t1 = slice t2 first=[4] count=[1] step=[1]", "float32[4]", "ESHAPE: slice:" },
	{ "t1 = slice t2 first=[0] count=[-1] step=[1]", "float32[4]",
		"EINVAL: slice: dim 0 has count -1" },
	{ "t1 = slice t2 first=[0] count=[1] step=[0]", "float32[4]",
		"EINVAL: slice: dim 0 has count 1 and step 0" },
	{ "t1 = slice t2 first=[3] count=[3] step=[9223372036854775807]", "float32[4]",
		"ESHAPE: slice:" },
	{ "t1 = slice t2 first=[3] count=[9223372036854775807] step=[1]", "float32[4]",
		"ESHAPE: slice:" },
	{ "t1 = slice t2 first=[0] count=[1] step=[1]", "float32[4,4]",
		"EINVAL: slice: 3 operands, expected" },
	{ "t1 = slice_set t2, t3 first=[0,1] count=[2,2] step=[1,1]", "float32[2,3] float32[2,2]",
		"float32 (2, 3)" },
	{ "t1 = slice_set t2, t3 first=[0,1] count=[2,2] step=[1,1]", "float32[2,3] float32[2]",
		"float32 (2, 3)" },
	{ "t1 = slice_set t2, 0.5 first=[0,1] count=[2,2] step=[1,1]", "float32[2,3]",
		"float32 (2, 3)" },
	{ "t1 = slice_set t2, 0.5 first=[0] count=[2] step=[1]", "int32[2]",
		"EDTYPE: slice_set: a float scalar" },
	{ "t1 = slice_set t2, t3 first=[0,1] count=[2,2] step=[1,1]", "float32[2,3] float32[3]",
		"ESHAPE: slice_set: the second input does not broadcast to the slice of shape (2, "
		"2)" },
	{ "t1 = slice_set t2, t3 first=[0] count=[1] step=[1]", "float32[2] float32[1,1]",
		"ESHAPE: slice_set:" },
	/* several tensors, matrices */
	{ "t1 = cat t2 axis=0", "float32[2,3]", "float32 (2, 3)" },
	{ "t1 = cat t2, t3, t4 axis=1", "int32[2,3] int32[2,0] int32[2,5]", "int32 (2, 8)" },
	{ "t1 = cat t2, t3 axis=0", "int32[2,3] int32[2,4]",
		"ESHAPE: cat: input 1 differs from the first in more" },
	{ "t1 = cat t2, t3 axis=0", "int32[2] int32[2,1]", "ESHAPE: cat: input 1 differs" },
	{ "t1 = cat t2, t3 axis=0", "int32[2] int64[2]",
		"EDTYPE: cat: dtypes int32 and int64 differ" },
	{ "t1 = cat t2, t3 axis=0", "int32[] int32[]",
		"ESHAPE: cat: axis 0 is out of range for rank 0" },
	{ "t1 = cat t2, t3 axis=0", "bool[1099511627776] bool[1]", "ELIMIT: cat:" },
	{ "t1 = tril t2 diagonal=-9", "bool[2,3]", "bool (2, 3)" },
	{ "t1 = triu t2 diagonal=1", "bool[2]",
		"ESHAPE: triu: the input must have two dims or more" },
	/* indexing */
	{ "t1 = gather t2, t3 axis=1", "float32[3,4] int64[2,9]", "float32 (2, 9)" },
	{ "t1 = gather t2, t3 axis=0", "float32[3,4] int64[2,5]",
		"ESHAPE: gather: dim 1 of the index is 5, more than 4" },
	{ "t1 = gather t2, t3 axis=0", "float32[3,4] int64[2]",
		"ESHAPE: gather: the index has rank 1" },
	{ "t1 = gather t2, t3 axis=0", "float32[3,4] int32[2,4]",
		"EDTYPE: gather: the index is int32, expected int64" },
	{ "t1 = gather t2, t3 axis=2", "float32[3,4] int64[2,4]",
		"ESHAPE: gather: axis 2 is out of range" },
	{ "t1 = scatter_add t2, t3, t4 axis=0", "float32[3,4] int64[5,4] float32[6,4]",
		"float32 (3, 4)" },
	{ "t1 = scatter_add t2, t3, t4 axis=0", "float32[3,4] int64[5,5] float32[6,5]",
		"ESHAPE: scatter_add: dim 1" },
	{ "t1 = scatter_add t2, t3, t4 axis=0", "float32[3,4] int64[5,4] float32[4,4]",
		"ESHAPE: scatter_add: dim 0 of the index is 5, more than 4 of the source" },
	{ "t1 = scatter_add t2, t3, t4 axis=0", "float32[3] int64[3] float64[3]",
		"EDTYPE: scatter_add: first and third" },
	{ "t1 = scatter_add t2, t3, t4 axis=0", "bool[3] int64[3] bool[3]",
		"EDTYPE: scatter_add: takes int and float" },
	{ "t1 = index_select t2, t3 axis=1", "float32[3,4,5] int64[7,8]", "float32 (3, 7, 8, 5)" },
	{ "t1 = index_select t2, t3 axis=0", "float32[3,4] int64[]", "float32 (4,)" },
	{ "t1 = index_select t2, t3 axis=0", "float32[1,1,1,1,1] int64[1,1,1,1,1]",
		"ELIMIT: index_select: the result has rank 9" },
	{ "t1 = index_select t2, t3 axis=0", "float32[3] float32[2]",
		"EDTYPE: index_select: the index is float32" },
	{ "t1 = index_add t2, t3, t4 axis=1", "float32[3,4] int64[7] float32[3,7]",
		"float32 (3, 4)" },
	{ "t1 = index_add t2, t3, t4 axis=1", "float32[3,4] int64[7] float32[3,6]",
		"ESHAPE: index_add: dim 1 of the third input is 6, expected 7" },
	{ "t1 = index_set t2, t3, t4 axis=0", "bool[3,4] int64[2] bool[2,4]", "bool (3, 4)" },
	{ "t1 = index_set t2, t3, t4 axis=0", "bool[3,4] int64[2,1] bool[2,4]",
		"ESHAPE: index_set: the index must have one dim" },
	{ "t1 = index_set t2, t3, t4 axis=0", "bool[3,4] int64[2] bool[2]",
		"ESHAPE: index_set: first and third input must have one rank" },
	{ "t1 = one_hot t2 [5]", "int64[2,3]", "int64 (2, 3, 5)" },
	{ "t1 = one_hot t2 [5]", "int32[]", "int64 (5,)" },
	{ "t1 = one_hot t2 [0]", "int32[2]", "int64 (2, 0)" },
	{ "t1 = one_hot t2 [5]", "float32[2]", "EDTYPE: one_hot: takes int dtypes" },
	{ "t1 = one_hot t2 [5]", "int64[1,1,1,1,1,1,1,1]",
		"ELIMIT: one_hot: the result has rank 9" },
	/* control */
	{ "fetch t1", "float32[2]", "EINVAL: fetch: has no result" },
};

/* "float32[2,3] int64[4]" */
static unsigned parse_metas(const char *s, meta *metas)
{
	unsigned n = 0;

	for (; *s; n++) {
		const size_t name = strcspn(s, "[");
		meta *m = &metas[n];

		*m = (meta){ .dtype = (uint8_t)dtype_parse(s, name) };
		assert_int_not_equal(m->dtype, GT_DTYPE_NONE);
		for (s += name + 1; *s != ']'; s += *s == ',')
			m->dims[m->rank++] = strtoll(s, (char **)&s, 10);
		s += 1 + (s[1] == ' ');
	}
	return n;
}

static void run_case(const shape_case *c)
{
	static text_reader t;
	meta metas[INS_INPUTS_MAX], out;
	const meta *in[INS_INPUTS_MAX];
	char got[1200], text[SHAPE_TEXT_MAX];
	ins_room room;
	unsigned n = 0;
	bool end;
	gt_err e;

	text_open_string(&t, c->line, strlen(c->line), NULL);
	if (text_get(&t, &room, &end))
		fail_msg("%s: %s", c->line, gt_last_error());
	parse_metas(c->inputs, metas);
	for (unsigned k = 0; k < room.head.nin; k++)
		in[k] = ins_kind(&room.head, k) ? NULL : &metas[n++];
	e = shape_infer(&room.head, in, &out);
	if (e)
		snprintf(got, sizeof got, "%s: %s", gt_error_name(e) + 3, gt_last_error());
	else
		snprintf(got, sizeof got, "%s", meta_text(&out, text, sizeof text));
	if (e ? strncmp(got, c->result, strlen(c->result)) : strcmp(got, c->result))
		fail_msg("%s with %s: expected %s, got %s", c->line, c->inputs, c->result, got);
	if (e && *c->inputs && e != GT_EINVAL && e != GT_ELIMIT && !strstr(got, "("))
		fail_msg("an error that does not name the shapes: %s", got);
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t k = 0; k < COUNT(cases); k++)
		run_case(&cases[k]);
}

/* A new rule must come with cases, at least one that works and one that does not. */
static void test_every_rule_has_cases(void **state)
{
	static const struct { const char *op, *rule; } rows[] = {
#define OP(name, code, kind, nin) { #name,
#define SHAPE(name) #name },
#include "ir/ops.def"
	};

	(void)state;
	for (size_t r = 0; r < COUNT(rows); r++) {
		int works = 0, refuses = 0;

		for (size_t k = 0; k < COUNT(cases); k++)
			for (size_t o = 0; o < COUNT(rows); o++) {
				char word[64];

				snprintf(word, sizeof word, " %s ", rows[o].op);
				if (strcmp(rows[o].rule, rows[r].rule) ||
					!strstr(cases[k].line, word))
					continue;
				*(strstr(cases[k].result, ": ") ? &refuses : &works) += 1;
			}
		if (strcmp(rows[r].rule, "none") && (!works || !refuses))
			fail_msg("rule %s: %d cases that work, %d that do not", rows[r].rule, works,
				refuses);
	}
}

/* What a decoder would not let through must not get past the rules either. */
static void test_untrusted(void **state)
{
	const meta x = { .dtype = GT_FLOAT32, .rank = 2, .dims = { 2, 3 } };
	const meta *in[INS_INPUTS_MAX] = { &x, &x, &x };
	ins_room room;
	ins *i;
	meta out;

	(void)state;
	for (unsigned code = 0; code <= UINT16_MAX; code += code < 300 ? 1 : 997) {
		i = ins_init(&room, code, 9);
		if (!op_row_of(code))
			assert_int_equal(shape_infer(i, in, &out), GT_EINVAL);
	}
	i = ins_init(&room, OP_add, 9);
	ins_put_input(i, 1);
	assert_int_equal(shape_infer(i, in, &out), GT_EINVAL);
	ins_put_input(i, 2);
	assert_int_equal(shape_infer(i, in, &out), GT_OK);
	ins_put_operand(i, 1);
	assert_int_equal(shape_infer(i, in, &out), GT_EINVAL);
	i->nopd = 0;
	in[1] = NULL;   /* a tensor by its kind, but no meta */
	assert_int_equal(shape_infer(i, in, &out), GT_EINVAL);
	in[0] = NULL;   /* two scalars */
	i->kinds = KIND_INT | KIND_INT << 2;
	assert_int_equal(shape_infer(i, in, &out), GT_EINVAL);
	assert_string_equal(gt_last_error(), "add: no input is a tensor");
	i = ins_init(&room, OP_matmul, 9);
	ins_put_scalar(i, KIND_INT, (scalar){ .i = 1 });
	ins_put_scalar(i, KIND_INT, (scalar){ .i = 1 });
	assert_int_equal(shape_infer(i, in, &out), GT_EINVAL);
	i = ins_init(&room, OP_eye, 9);
	i->attr.dtype = 77;
	ins_put_operand(i, 1);
	ins_put_operand(i, -1);
	assert_int_equal(shape_infer(i, in, &out), GT_EDTYPE);
	i->attr.dtype = GT_BOOL;
	assert_int_equal(shape_infer(i, in, &out), GT_ESHAPE);
	in[0] = &x;
	i = ins_init(&room, OP_sum, 9);
	i->attr.keepdims = 2;
	ins_put_input(i, 1);
	assert_int_equal(shape_infer(i, in, &out), GT_EINVAL);
	i = ins_init(&room, OP_permute, 9);
	i->attr.perm[0] = 200;
	ins_put_input(i, 1);
	assert_int_equal(shape_infer(i, in, &out), GT_ESHAPE);
	i = ins_init(&room, OP_softmax, 9);
	i->attr.axis = 255;
	ins_put_input(i, 1);
	assert_int_equal(shape_infer(i, in, &out), GT_ESHAPE);
}

static void test_broadcast(void **state)
{
	const meta a = { .dtype = GT_BOOL, .rank = 2, .dims = { 5, 1 } };
	const meta b = { .dtype = GT_INT64, .rank = 1, .dims = { 4 } };
	meta out = { .dtype = GT_FLOAT64 };

	(void)state;
	assert_int_equal(shape_broadcast("x", &a, &b, &out), GT_OK);
	assert_int_equal(out.dtype, GT_FLOAT64);
	assert_int_equal(out.rank, 2);
	assert_int_equal(out.dims[0], 5);
	assert_int_equal(out.dims[1], 4);
}

static void test_text(void **state)
{
	const meta m = { .dtype = GT_FLOAT32, .rank = 2, .dims = { 2, 3 } };
	meta big = { .dtype = GT_FLOAT32, .rank = GT_RANK_MAX };
	char text[SHAPE_TEXT_MAX];

	(void)state;
	assert_string_equal(meta_text(&m, text, sizeof text), "float32 (2, 3)");
	assert_string_equal(meta_text(&m, text, 12), "float32 (2,");
	assert_string_equal(meta_text(&m, text, 3), "fl");
	for (int k = 0; k < GT_RANK_MAX; k++)
		big.dims[k] = INT64_MIN;
	assert_int_equal(meta_text(&big, text, sizeof text)[strlen(text) - 1], ')');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_every_rule_has_cases),
		cmocka_unit_test(test_untrusted),
		cmocka_unit_test(test_broadcast),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
