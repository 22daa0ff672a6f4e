// Works with the Node client of Azure DevOps as a program of a user would; prints what it found as JSON.
const api = require("azure-devops-node-api");

async function main() {
  const [url, token, file] = process.argv.slice(2);
  const connection = new api.WebApi(url, api.getPersonalAccessTokenHandler(token));
  const found = {};
  found.who = (await connection.connect()).authenticatedUser.providerDisplayName;
  const core = await connection.getCoreApi();
  const project = await core.getProject("default");
  found.projects = (await core.getProjects()).map((one) => one.name);
  const endpoints = await connection.getServiceEndpointApi();
  const made = await endpoints.createServiceEndpoint({
    name: "from-node",
    type: "generic",
    url: "https://depot.example",
    data: {},
    authorization: { scheme: "UsernamePassword", parameters: { username: "ada", password: "correct horse battery" } },
    serviceEndpointProjectReferences: [{ name: "from-node", projectReference: { id: project.id, name: project.name } }],
  });
  found.made = made.authorization.parameters;
  found.named = (await endpoints.getServiceEndpointsByNames("default", ["from-node"])).map((one) => one.id === made.id);
  found.types = (await endpoints.getServiceEndpointTypes()).length;
  const details = await endpoints.getServiceEndpointDetails("default", made.id);
  details.description = "changed by node";
  found.description = (await endpoints.updateServiceEndpoint(details, made.id)).description;
  found.history = await endpoints.getServiceEndpointExecutionRecords("default", made.id);
  const roles = await connection.getSecurityRolesApi();
  found.roles = (
    await roles.getRoleAssignments("distributedtask.serviceendpointrole", `${project.id}_${made.id}`)
  ).map((one) => one.role.name);
  const build = await connection.getBuildApi();
  const definition = await build.createDefinition(
    { name: "from-node", process: { type: 2, yamlFilename: file } },
    "default",
  );
  const pipelines = await connection.getPipelinesApi();
  const run = await pipelines.runPipeline({}, "default", definition.id);
  let current;
  do {
    await new Promise((done) => setTimeout(done, 50));
    current = await build.getBuild("default", run.id);
  } while (current.status !== 2);
  found.result = current.result;
  found.timeline = (await build.getBuildTimeline("default", run.id)).records.map((one) => one.type);
  const lines = [];
  for (const log of await build.getBuildLogs("default", run.id))
    lines.push(...(await build.getBuildLogLines("default", run.id, log.id)));
  found.said = lines.some((line) => line.includes("hello from node"));
  const agent = await connection.getTaskAgentApi();
  const group = await agent.addVariableGroup({
    name: "from-node",
    type: "Vsts",
    variables: { region: { value: "north" } },
    variableGroupProjectReferences: [{ name: "from-node", projectReference: { id: project.id, name: project.name } }],
  });
  found.group = (await agent.getVariableGroup("default", group.id)).variables.region.value;
  found.environment = (await agent.addEnvironment({ name: "from-node" }, "default")).name;
  await endpoints.deleteServiceEndpoint(made.id, [project.id]);
  found.gone = await endpoints.getServiceEndpointDetails("default", made.id);
  found.missing = await build.getBuild("default", 99999);
  console.log(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error.statusCode, error.message, error.stack);
  process.exit(1);
});
