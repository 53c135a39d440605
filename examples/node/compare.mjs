// node examples/node/compare.mjs A B: the same person or not.
import { Engine } from '../../facerec-node/index.mjs' // installed: '@facerec/node'

const engine = await Engine.create()
const { similarity, threshold, same } = await engine.compare(process.argv[2], process.argv[3])
console.log({ same, similarity, threshold })
