export const ROLES = ['user', 'analyst', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Who is calling: the account behind the presented token, as it stands now. */
export interface Actor {
  readonly userId: number;
  readonly username: string;
  readonly role: Role;
}
