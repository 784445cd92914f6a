/** Why a token was refused. Operators see this in the metrics; callers are told less. */
export type TokenFault = 'malformed' | 'expired' | 'not-ours' | 'disabled' | 'revoked';

export class InvalidToken extends Error {
  override readonly name = 'InvalidToken';

  constructor(readonly fault: TokenFault) {
    super(fault);
  }
}
