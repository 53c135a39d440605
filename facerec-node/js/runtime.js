'use strict'
// What comes with the packages: ONNX Runtime's shared library and the default models.

const { existsSync } = require('node:fs')
const { dirname, join } = require('node:path')

const { beside, folder } = require('./binding.js')

const NAMES = { linux: 'libonnxruntime.so.1', darwin: 'libonnxruntime.1.dylib', win32: 'onnxruntime.dll' }

/**
 * ONNX Runtime: that of an installed `onnxruntime-node` (which can have CUDA's parts too), else the one in the platform's
 * package, which was taken from there. Undefined when the user named another one, or when there is none: then the core
 * says where it looked.
 */
function runtimeLibrary() {
  if (process.env.FACEREC_ORT || process.env.ORT_DYLIB_PATH) return undefined
  const name = NAMES[process.platform] ?? ''
  const installed = packageFolder('onnxruntime-node')
  const paths = installed ? [join(installed, 'bin', 'napi-v6', process.platform, process.arch, name)] : []
  return [...paths, join(folder, 'lib', name)].find(existsSync)
}

function packageFolder(name) {
  try {
    return dirname(require.resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

/**
 * Folders with models: the user's, then the one of this package, or of a bundle, which has it beside the binary. A checkout has
 * none; there the core finds `.facerec`.
 */
function modelFolders(folders = []) {
  // What lies beside a bundle's folder is somebody else's.
  const packaged = existsSync(join(beside, '..', 'js', 'binding.js')) ? [join(beside, '..', 'models')] : []
  const own = [...packaged, join(folder, 'models')].find(existsSync)
  return Array.isArray(folders) && own !== undefined ? [...folders, own] : folders
}

module.exports = { modelFolders, runtimeLibrary }
