/** Why a token opens nothing: for whoever runs the service. Callers are told in fewer words. */
export type TokenFault = 'malformed' | 'expired' | 'not-ours' | 'disabled' | 'revoked';

export class InvalidToken extends Error {
  override readonly name = 'InvalidToken';

  constructor(readonly fault: TokenFault) {
    super(fault);
  }
}
