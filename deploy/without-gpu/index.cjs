/**
 * The install script of onnxruntime-node downloads 400 MB for GPUs from a host that many networks cannot reach; all
 * that we use is in the package already. New versions of npm do not run the script (`allowScripts` in package.json);
 * npm 10 does, and a setting in .npmrc that would tell the script to do nothing is one that new versions complain
 * about. So the script is told here: before all else it loads `global-agent` and calls this.
 */
exports.bootstrap = () => {
  process.env.ONNXRUNTIME_NODE_INSTALL = 'skip';
};
