// The minimum roles that each app needs for storage; docs/operations.md has the same table.
param accountName string
@allowed(['keyless', 'keyVault'])
param credentialMode string
param apiPrincipalId string
param workerPrincipalId string

var blobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var queueDataReader = '19e7f393-937e-4f77-808e-94535e297925'

// Blob Data Contributor at the account's scope also grants the delegation key that signs Location.
// Queue Data Contributor: the API reads queue lengths and creates queues, the worker renews leases.
var keylessAssignments = [
  { principalId: apiPrincipalId, role: blobDataContributor }
  { principalId: apiPrincipalId, role: queueDataContributor }
  { principalId: workerPrincipalId, role: blobDataContributor }
  { principalId: workerPrincipalId, role: queueDataContributor }
]

// With the key from Key Vault the apps need no role for storage. The scale rules still read queue lengths with the
// worker's identity.
var keyVaultAssignments = [
  { principalId: workerPrincipalId, role: queueDataReader }
]

resource account 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: accountName
}

resource assignments 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for assignment in (credentialMode == 'keyless' ? keylessAssignments : keyVaultAssignments): {
    name: guid(account.id, assignment.principalId, assignment.role)
    scope: account
    properties: {
      principalId: assignment.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', assignment.role)
    }
  }
]
