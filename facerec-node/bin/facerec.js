#!/usr/bin/env node
'use strict'
// The same command as the Rust one, with the models and the ONNX Runtime library that come with the packages.

const { delimiter } = require('node:path')
const { binding } = require('../js/binding.js')
const { modelFolders, runtimeLibrary } = require('../js/runtime.js')

const library = runtimeLibrary()
if (library !== undefined) process.env.FACEREC_ORT = library
const folders = [process.env.FACEREC_MODELS, ...modelFolders()].filter(Boolean)
if (folders.length > 0) process.env.FACEREC_MODELS = folders.join(delimiter)

process.exitCode = binding.command(['facerec', ...process.argv.slice(2)])
