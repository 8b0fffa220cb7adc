/* module.c: the module gt._gt: its types, functions and constants put together. */
#include "gtpy.h"

static PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "gt._gt",
	.m_doc = "The extension under the package gt: tensors and operations on libgt.",
	.m_size = -1,
};

#define MODE(name, text) text " "
#define COMPILE_MODES GT_COMPILE_MODES(MODE)

/* Everything the files of the extension offer, under the names that users see. */
static bool fill(PyObject *module)
{
	return error_init(module) && dtype_init(module) && read_init(module) &&
			tensor_init(module) && hotpath_init(module) && caller_init(module) &&
			PyModule_AddFunctions(module, debug_functions) == 0 &&
			PyModule_AddFunctions(module, hotpath_functions) == 0 &&
			PyModule_AddFunctions(module, method_functions()) == 0 &&
			PyModule_AddFunctions(module, session_functions) == 0 &&
			PyModule_AddFunctions(module, site_functions) == 0 &&
			PyModule_AddStringConstant(module, "_compile_modes", COMPILE_MODES) == 0 &&
			PyModule_AddStringConstant(module, "__version__", gt_version()) == 0;
}

PyMODINIT_FUNC PyInit__gt(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module && !fill(module))
		Py_CLEAR(module);
	return module;
}
