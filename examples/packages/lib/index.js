module.exports = (name) => `Hello from a package, ${name}`
